import type { Pool } from 'pg'
import type { RejectedEntry } from './pages.ts'

/**
 * Turns messages that were rejected whole into one rejected item for each of `items` (their indexes), with the reason
 * of the whole, in one statement. Returns the new items; a message that is gone or locked has none.
 */
export async function splitRejected(
  pool: Pool,
  wholes: readonly { id: string; items: readonly number[] }[],
): Promise<RejectedEntry[]> {
  const parts = wholes.flatMap(({ id, items }) => items.map((item) => ({ id, item })))
  const result = await pool.query<RejectedEntry>(
    `WITH free AS MATERIALIZED (
       SELECT id FROM pipeline.rejected_messages WHERE id = ANY ($1::int8[]) ORDER BY id FOR UPDATE SKIP LOCKED
     ), whole AS (
       DELETE FROM pipeline.rejected_messages m USING free WHERE m.id = free.id RETURNING m.*
     )
     INSERT INTO pipeline.rejected_messages
       (payload_id, reason, detail, device, item, topic, client, organization_id, received_at, sqlstate)
     SELECT w.payload_id, w.reason, w.detail, w.device, g.item, w.topic, w.client, w.organization_id, w.received_at,
       w.sqlstate
     FROM unnest($1::int8[], $2::int4[]) AS g (id, item) JOIN whole w ON w.id = g.id
     ORDER BY w.id, g.item
     RETURNING id, payload_id AS "payloadId", reason, device, item`,
    [parts.map(({ id }) => id), parts.map(({ item }) => item)],
  )
  return result.rows
}
