import type { Pool } from 'pg'
import { firstBatchIdAt } from './batches/batch-id.ts'
import { queryWithLimit } from './limited-query.ts'

export interface LedgerLimits {
  retentionDays: number
  /** Delete at most so many rows. */
  rowsMax: number
  /** Epoch milliseconds. */
  nowMs: number
  /** Go on after this batch; 0 at first. */
  afterId: bigint
}

const DAY_MS = 24 * 60 * 60 * 1_000

/**
 * Deletes the oldest rows of the ledger that are past their retention and that every reader of it has passed
 * (`pipeline.watermarks`; without any, nothing goes). Returns how many went, and the last of them. Walks along the key of
 * the table. An old id may be committed late, by way of the spool: the retention counts from the commit.
 */
export async function pruneLedger(
  pool: Pool,
  { retentionDays, rowsMax, nowMs, afterId }: LedgerLimits,
): Promise<{ deleted: number; lastId: bigint }> {
  const result = await queryWithLimit<{ deleted: number; lastId: string | null }>(
    pool,
    `WITH old AS MATERIALIZED (
       SELECT id FROM pipeline.ingest_batches
       WHERE id > $1 AND id < $2 AND id <= (SELECT min(batch_id) FROM pipeline.watermarks)
         AND committed_at < now() - $3 * interval '1 day'
       ORDER BY id LIMIT $4
     ), gone AS (
       DELETE FROM pipeline.ingest_batches WHERE id = ANY (ARRAY(SELECT id FROM old)) RETURNING id
     )
     SELECT count(*)::int AS deleted, max(id) AS "lastId" FROM gone`,
    [afterId, firstBatchIdAt(nowMs - retentionDays * DAY_MS), retentionDays, rowsMax],
  )
  const row = result.rows[0]
  return { deleted: row?.deleted ?? 0, lastId: BigInt(row?.lastId ?? afterId) }
}
