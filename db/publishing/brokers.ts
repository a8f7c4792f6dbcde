import type { Pool } from 'pg'
import { queryWithLimit } from '../limited-query.ts'

/** From then on hubs count as not heard. Much longer than a broker needs to be noted again. */
export const BROKER_AWAY_MS = 60_000

/** What is between two notes where nobody had a broker is downtime: hubs and devices could not be heard. */
const NOTE = `
  WITH before AS (
    SELECT max(seen_at) AS seen_at FROM pipeline.brokers
  ), ended AS (
    UPDATE pipeline.downtime_intervals SET ended_at = now() WHERE part = 'broker' AND ended_at IS NULL RETURNING id
  ), noted AS (
    INSERT INTO pipeline.downtime_intervals (part, started_at, ended_at, detail)
    SELECT 'broker', seen_at, now(), 'no broker was there' FROM before
    WHERE seen_at < now() - $2 * interval '1 ms' AND NOT EXISTS (SELECT FROM ended)
  ), forgotten AS (
    DELETE FROM pipeline.brokers WHERE id <> $1 AND seen_at < now() - $3 * interval '1 ms'
  )
  INSERT INTO pipeline.brokers AS known (id, published_id)
  SELECT $1, coalesce(max(published_id), 0) FROM pipeline.brokers
  ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at
  RETURNING published_id::float8 AS "publishedId"`

/**
 * Notes that a broker is there; forgets others that have been away for `keptMs`. Returns up to which message it has published: a new
 * one begins where the others are, and the first of all with what there is.
 */
export async function noteBroker(
  pool: Pool,
  { id, keptMs }: { id: string; keptMs: number },
): Promise<number> {
  const { rows } = await queryWithLimit<{ publishedId: number }>(pool, NOTE, [id, BROKER_AWAY_MS, keptMs])
  return rows[0]?.publishedId ?? 0
}
