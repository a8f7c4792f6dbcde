import type { ClientBase } from 'pg'

/** That a device in a unit is to be folded again from a time on. */
export interface LateMark {
  unitId: number
  deviceId: number
  /** Epoch milliseconds. */
  fromMs: number
}

const WRITE = `
  INSERT INTO pipeline.rule_states (unit_id, device_id, state)
  SELECT unit_id, device_id, jsonb_build_object('late', late)
  FROM (SELECT unit_id, device_id, jsonb_build_object('fromMs', from_ms, 'toMs', $4::float8) AS late
    FROM unnest($1::int4[], $2::int4[], $3::float8[]) AS given (unit_id, device_id, from_ms)
    WHERE EXISTS (SELECT FROM public.units WHERE id = unit_id) AND EXISTS (SELECT FROM public.devices WHERE id = device_id)) marked
  ON CONFLICT (unit_id, device_id) DO UPDATE SET
    state = CASE jsonb_typeof(rule_states.state) WHEN 'object' THEN rule_states.state ELSE '{}' END || excluded.state`

/** Marks stored states, whatever is in them; a device that has none gets one of the mark alone. `toMs`: how far it is to be folded. */
export async function writeLateMarks(
  client: ClientBase,
  marks: readonly LateMark[],
  toMs: number,
): Promise<void> {
  if (marks.length === 0) return
  await client.query(WRITE, [
    marks.map(({ unitId }) => unitId),
    marks.map(({ deviceId }) => deviceId),
    marks.map(({ fromMs }) => fromMs),
    toMs,
  ])
}
