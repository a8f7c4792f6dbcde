import type { ClientBase } from 'pg'
import type { unitStatus } from '../schema/index.ts'

type UnitStatus = (typeof unitStatus.enumValues)[number]

export interface UnitStatusRow {
  unitId: number
  status: UnitStatus
  /** Its newest reading, epoch milliseconds; null = as it is. */
  lastReadingAtMs: number | null
  /** Its newest temperature, calibrated; null = as it is. */
  lastTemperature: { celsius: number; deviceId: number; atMs: number } | null
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

/** What a unit last said is kept as its sensor said it, so without the offset that its temperature was judged with. */
export async function writeUnitStatuses(client: ClientBase, rows: readonly UnitStatusRow[]): Promise<void> {
  if (rows.length === 0) return
  await client.query(
    `UPDATE public.units u SET status = g.status,
       last_reading_at = coalesce(to_timestamp(g.last_ms / 1000), u.last_reading_at),
       last_temperature = coalesce(g.temperature - coalesce((
         SELECT nullif(c.temperature_offset, 'NaN') FROM public.calibration_records c
         WHERE c.device_id = g.device_id AND c.calibrated_at <= to_timestamp(g.measured_ms / 1000)
         ORDER BY c.calibrated_at DESC LIMIT 1), 0), u.last_temperature)
     FROM unnest($1::int4[], $2::unit_status[], $3::float8[], $4::numeric[], $5::int4[], $6::float8[])
       AS g (id, status, last_ms, temperature, device_id, measured_ms)
     WHERE u.id = g.id`,
    [
      rows.map(({ unitId }) => unitId),
      rows.map(({ status }) => status),
      rows.map(({ lastReadingAtMs }) => lastReadingAtMs),
      rows.map(({ lastTemperature }) => lastTemperature?.celsius ?? null),
      rows.map(({ lastTemperature }) => lastTemperature?.deviceId ?? null),
      rows.map(({ lastTemperature }) => lastTemperature?.atMs ?? null),
    ],
  )
}
