import type { Pool } from 'pg'
import { queryWithLimit } from './limited-query.ts'

/**
 * Deletes rejected items past their retention, and the oldest ones of a client that has more than its share, with
 * payloads that nothing refers to any more. Returns how many items went.
 */
export async function pruneRejected(
  pool: Pool,
  limits: { retentionDays: number; perClientMax: number },
): Promise<number> {
  const expired = await queryWithLimit(
    pool,
    `DELETE FROM pipeline.rejected_messages WHERE received_at < now() - $1 * interval '1 day'`,
    [limits.retentionDays],
  )
  const surplus = await queryWithLimit(
    pool,
    `DELETE FROM pipeline.rejected_messages m
     USING (
       SELECT client, (
         SELECT k.id FROM pipeline.rejected_messages k WHERE k.client = c.client ORDER BY k.id DESC OFFSET $1 LIMIT 1
       ) AS newest_surplus
       FROM (SELECT client FROM pipeline.rejected_messages GROUP BY client HAVING count(*) > $1) c
     ) s
     WHERE m.client = s.client AND m.id <= s.newest_surplus`,
    [limits.perClientMax],
  )
  const deleted = (expired.rowCount ?? 0) + (surplus.rowCount ?? 0)
  if (deleted > 0) {
    await queryWithLimit(
      pool,
      `DELETE FROM pipeline.rejected_payloads p
       WHERE NOT EXISTS (SELECT 1 FROM pipeline.rejected_messages m WHERE m.payload_id = p.id)`,
    )
  }
  return deleted
}

/** Deletes the oldest rejected items of one client beyond its share, with their payloads. Returns how many items went. */
export async function pruneRejectedOf(pool: Pool, client: string, perClientMax: number): Promise<number> {
  const surplus = await queryWithLimit<{ payloadId: string }>(
    pool,
    `DELETE FROM pipeline.rejected_messages WHERE client = $1 AND id <= (
       SELECT id FROM pipeline.rejected_messages WHERE client = $1 ORDER BY id DESC OFFSET $2 LIMIT 1
     ) RETURNING payload_id AS "payloadId"`,
    [client, perClientMax],
  )
  await queryWithLimit(
    pool,
    `DELETE FROM pipeline.rejected_payloads p WHERE id = ANY ($1::int8[])
       AND NOT EXISTS (SELECT 1 FROM pipeline.rejected_messages m WHERE m.payload_id = p.id)`,
    [[...new Set(surplus.rows.map(({ payloadId }) => payloadId))]],
  )
  return surplus.rowCount ?? 0
}
