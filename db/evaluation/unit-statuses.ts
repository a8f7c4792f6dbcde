import type { ClientBase } from 'pg'
import type { unitStatus } from '../schema/index.ts'

type UnitStatus = (typeof unitStatus.enumValues)[number]

export interface UnitStatusRow {
  unitId: number
  status: UnitStatus
  /** Its newest reading, epoch milliseconds; null = as it is. */
  lastReadingAtMs: number | null
  /** °C */
  lastTemperature: number | null
}

export async function readUnitStatuses(
  client: ClientBase,
  unitIds: readonly number[],
): Promise<Map<number, UnitStatus>> {
  const { rows } = await client.query<{ id: number; status: UnitStatus }>(
    'SELECT id, status FROM public.units WHERE id = ANY ($1::int4[])',
    [unitIds],
  )
  return new Map(rows.map(({ id, status }) => [id, status]))
}

export async function writeUnitStatuses(client: ClientBase, rows: readonly UnitStatusRow[]): Promise<void> {
  if (rows.length === 0) return
  await client.query(
    `UPDATE public.units u SET status = g.status,
       last_reading_at = coalesce(to_timestamp(g.last_ms / 1000), u.last_reading_at),
       last_temperature = coalesce(g.temperature, u.last_temperature)
     FROM unnest($1::int4[], $2::unit_status[], $3::float8[], $4::real[]) AS g (id, status, last_ms, temperature)
     WHERE u.id = g.id`,
    [
      rows.map(({ unitId }) => unitId),
      rows.map(({ status }) => status),
      rows.map(({ lastReadingAtMs }) => lastReadingAtMs),
      rows.map(({ lastTemperature }) => lastTemperature),
    ],
  )
}
