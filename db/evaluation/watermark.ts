import type { ClientBase } from 'pg'
import type { LedgerCursor } from './cursor.ts'

/**
 * Lets the ledger be pruned up to where a reader has come: all batches with ids up to the watermark are passed. Ids are not in
 * the order of commits, so it stays below the first one that is not.
 */
export async function writeWatermark(
  client: ClientBase,
  name: string,
  { cursor, newestId }: { cursor: LedgerCursor; newestId: bigint },
): Promise<void> {
  await client.query(
    `INSERT INTO pipeline.watermarks (name, batch_id, updated_at)
     SELECT $1, coalesce(min(id) - 1, $4), now() FROM pipeline.ingest_batches WHERE (tx, id) > ($2::xid8, $3::bigint)
     ON CONFLICT (name) DO UPDATE SET batch_id = excluded.batch_id, updated_at = excluded.updated_at`,
    [name, cursor.tx, cursor.batchId, newestId],
  )
}
