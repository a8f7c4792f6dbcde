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
 * Keeps what hubs said within the caller's transaction: of several statuses of a hub the newest word on each thing.
 * Whether it is online changes only by what is newer than what is known. Hubs are locked in the order of their ids,
 * so that two writers cannot deadlock.
 */
export async function writeHubStatuses(client: PoolClient, rows: readonly HubStatusRow[]): Promise<void> {
  const newest = [...Map.groupBy(rows, (row) => row.hubId).values()].map(foldStatuses)
  await client.query(
    `WITH locked AS (
       SELECT id FROM public.hubs WHERE id = ANY ($1::int4[]) ORDER BY id FOR NO KEY UPDATE
     )
     UPDATE public.hubs h SET
       is_online = CASE WHEN h.status_at > g.received_at THEN h.is_online ELSE g.is_online END,
       status_at = greatest(h.status_at, g.received_at),
       firmware_version = coalesce(g.firmware, h.firmware_version),
       queued_messages = coalesce(g.queued, h.queued_messages),
       last_seen_at = CASE WHEN g.is_online THEN greatest(h.last_seen_at, g.received_at) ELSE h.last_seen_at END
     FROM (
       SELECT hub_id, is_online, firmware, queued, to_timestamp(received_at_ms / 1000)::timestamptz(3) AS received_at
       FROM unnest($1::int4[], $2::boolean[], $3::text[], $4::int4[], $5::float8[])
         AS given (hub_id, is_online, firmware, queued, received_at_ms)
     ) g JOIN locked l ON l.id = g.hub_id
     WHERE h.id = g.hub_id`,
    [
      newest.map((row) => row.hubId),
      newest.map((row) => row.isOnline),
      newest.map((row) => row.firmware),
      newest.map((row) => row.queued),
      newest.map((row) => row.receivedAtMs),
    ],
  )
}

function foldStatuses(rows: readonly HubStatusRow[]): HubStatusRow {
  return rows.reduce((before, row) => ({
    ...row,
    firmware: row.firmware ?? before.firmware,
    queued: row.queued ?? before.queued,
  }))
}
