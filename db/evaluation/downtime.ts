import type { ClientBase } from 'pg'

/** A time in which we could not hear or judge, epoch milliseconds. */
export interface Downtime {
  part: 'broker' | 'database' | 'evaluator' | 'clock'
  fromMs: number
  toMs: number
  detail: string
}

/** One that touches another, as when a start fails again and again, makes that one longer. */
const WRITE = `
  WITH touched AS (
    UPDATE pipeline.downtime_intervals
    SET started_at = least(started_at, to_timestamp($2::float8 / 1000)), ended_at = greatest(ended_at, to_timestamp($3::float8 / 1000))
    WHERE id = (SELECT id FROM pipeline.downtime_intervals
      WHERE started_at <= to_timestamp($3::float8 / 1000) AND coalesce(ended_at, 'infinity') >= to_timestamp($2::float8 / 1000)
      ORDER BY started_at DESC LIMIT 1)
    RETURNING id)
  INSERT INTO pipeline.downtime_intervals (part, started_at, ended_at, detail)
  SELECT $1, to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000), $4 WHERE NOT EXISTS (SELECT FROM touched)`

export async function writeDowntime(
  client: ClientBase,
  { part, fromMs, toMs, detail }: Downtime,
): Promise<void> {
  await client.query(WRITE, [part, fromMs, toMs, detail])
}

/** All that ended at this time or later, in order. */
export async function readDowntime(
  client: ClientBase,
  sinceMs: number,
): Promise<{ fromMs: number; toMs: number | null }[]> {
  const { rows } = await client.query<{ fromMs: number; toMs: number | null }>(
    `SELECT (extract(epoch FROM started_at) * 1000)::float8 AS "fromMs", (extract(epoch FROM ended_at) * 1000)::float8 AS "toMs"
     FROM pipeline.downtime_intervals
     WHERE ended_at IS NULL OR ended_at >= to_timestamp($1::float8 / 1000)
     ORDER BY started_at`,
    [sinceMs],
  )
  return rows
}

/** When the cursor was last moved, epoch milliseconds; undefined where it never was. */
export async function cursorMovedAt(client: ClientBase, name: string): Promise<number | undefined> {
  const { rows } = await client.query<{ movedAtMs: number }>(
    `SELECT (extract(epoch FROM updated_at) * 1000)::float8 AS "movedAtMs" FROM pipeline.evaluator_cursors WHERE name = $1`,
    [name],
  )
  return rows[0]?.movedAtMs
}
