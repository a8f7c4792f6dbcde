import type { ClientBase } from 'pg'

/** What the evaluator remembers of a device in a unit. */
export interface RuleStateRow {
  unitId: number
  deviceId: number
  /** JSON. */
  state: string
  /** Epoch milliseconds; null = no reading yet. */
  newestAtMs: number | null
}

const WRITE = `
  INSERT INTO pipeline.rule_states (unit_id, device_id, state, newest_at)
  SELECT unit_id, device_id, state::jsonb, to_timestamp(newest_ms / 1000)
  FROM unnest($1::int4[], $2::int4[], $3::text[], $4::float8[]) AS given (unit_id, device_id, state, newest_ms)
  ON CONFLICT (unit_id, device_id) DO UPDATE SET state = excluded.state, newest_at = excluded.newest_at`

export async function writeRuleStates(client: ClientBase, rows: readonly RuleStateRow[]): Promise<void> {
  if (rows.length === 0) return
  await client.query(WRITE, [
    rows.map(({ unitId }) => unitId),
    rows.map(({ deviceId }) => deviceId),
    rows.map(({ state }) => state),
    rows.map(({ newestAtMs }) => newestAtMs),
  ])
}

/** The states of all devices of these units. */
export async function readRuleStates(
  client: ClientBase,
  unitIds: readonly number[],
): Promise<{ unitId: number; deviceId: number; state: unknown }[]> {
  const { rows } = await client.query<{ unitId: number; deviceId: number; state: unknown }>(
    `SELECT unit_id AS "unitId", device_id AS "deviceId", state FROM pipeline.rule_states
     WHERE unit_id = ANY ($1::int4[])`,
    [unitIds],
  )
  return rows
}
