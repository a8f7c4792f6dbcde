import type { Pool } from 'pg'
import { queryWithLimit } from './limited-query.ts'

/** A hub that was heard of: it has connected or sent something at this time (epoch milliseconds). */
export interface HubSighting {
  hubId: number
  seenAtMs: number
}

/**
 * Notes when hubs were last heard of; one that was thought offline is online again, unless it has said otherwise
 * since. These writes may be lost in a crash of the server, the next sighting follows.
 */
export async function recordSightings(pool: Pool, sightings: readonly HubSighting[]): Promise<void> {
  const sorted = [...sightings].sort((a, b) => a.hubId - b.hubId)
  await queryWithLimit(
    pool,
    `WITH locked AS (
       SELECT id FROM public.hubs WHERE id = ANY ($1::int4[]) ORDER BY id FOR NO KEY UPDATE
     )
     UPDATE public.hubs h SET
       last_seen_at = greatest(h.last_seen_at, g.seen_at),
       is_online = h.is_online OR h.status_at IS NULL OR h.status_at < g.seen_at,
       status_at = CASE WHEN h.status_at IS NULL OR h.status_at < g.seen_at THEN g.seen_at ELSE h.status_at END
     FROM (
       SELECT hub_id, to_timestamp(seen_at_ms / 1000) AS seen_at
       FROM unnest($1::int4[], $2::float8[]) AS given (hub_id, seen_at_ms)
     ) g JOIN locked l ON l.id = g.hub_id
     WHERE h.id = g.hub_id`,
    [sorted.map((sighting) => sighting.hubId), sorted.map((sighting) => sighting.seenAtMs)],
  )
}

/** Hubs not connected and not heard of for their heartbeat go offline. Returns how many. */
export async function expireHubs(
  pool: Pool,
  options: { connected: readonly number[]; nowMs: number },
): Promise<number> {
  const result = await queryWithLimit(
    pool,
    `WITH silent AS (
       SELECT id FROM public.hubs
       WHERE is_online AND id <> ALL ($1::int4[])
         AND coalesce(last_seen_at, '-infinity') < to_timestamp($2::float8 / 1000) - heartbeat_seconds * interval '1 second'
       ORDER BY id FOR NO KEY UPDATE
     )
     UPDATE public.hubs h SET is_online = false, status_at = to_timestamp($2::float8 / 1000)
     FROM silent WHERE h.id = silent.id`,
    [options.connected, options.nowMs],
  )
  return result.rowCount ?? 0
}
