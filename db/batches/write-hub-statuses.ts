import type { PoolClient } from 'pg'

/** What a hub said of itself, or what its last will said of it. */
export interface HubStatusRow {
  hubId: number
  isOnline: boolean
  firmware: string | null
  queued: number | null
  receivedAtMs: number
}

/**
 * Keeps the newest status of each hub within the caller's transaction. A status older than what is known changes
 * nothing; hubs are taken in the order of their ids, so that two batches cannot deadlock.
 */
export async function writeHubStatuses(client: PoolClient, rows: readonly HubStatusRow[]): Promise<void> {
  const newest = [...new Map(rows.map((row) => [row.hubId, row])).values()].sort((a, b) => a.hubId - b.hubId)
  await client.query(
    `WITH given AS (
       SELECT * FROM unnest($1::int4[], $2::boolean[], $3::text[], $4::int4[], $5::float8[])
         AS g (hub_id, is_online, firmware, queued, received_at_ms)
     ), locked AS (
       SELECT id FROM public.hubs WHERE id = ANY ($1::int4[]) ORDER BY id FOR UPDATE
     )
     UPDATE public.hubs h SET
       is_online = g.is_online,
       status_at = to_timestamp(g.received_at_ms / 1000),
       firmware_version = coalesce(g.firmware, h.firmware_version),
       queued_messages = coalesce(g.queued, h.queued_messages),
       last_seen_at = CASE WHEN g.is_online THEN greatest(h.last_seen_at, to_timestamp(g.received_at_ms / 1000)) ELSE h.last_seen_at END
     FROM given g JOIN locked l ON l.id = g.hub_id
     WHERE h.id = g.hub_id AND (h.status_at IS NULL OR h.status_at <= to_timestamp(g.received_at_ms / 1000))`,
    [
      newest.map((row) => row.hubId),
      newest.map((row) => row.isOnline),
      newest.map((row) => row.firmware),
      newest.map((row) => row.queued),
      newest.map((row) => row.receivedAtMs),
    ],
  )
}
