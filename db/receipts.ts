import type { Pool } from 'pg'
import type { ReceiptMark } from './batches/write-batch.ts'

/** The newest receipt of a hub, with what is needed to go on from it. */
export interface ReceiptRecord {
  hubId: number
  boot: string
  seq: number
  missing: readonly number[]
  /** Opaque to the database: see ingest's receipt tracker. */
  state: unknown
  /** Epoch milliseconds. */
  updatedAtMs: number
}

const WATERMARK = 'receipts'

/** Keeps receipts, and says that they hold every batch up to `throughBatchId`. One transaction. */
export async function saveReceipts(
  pool: Pool,
  records: readonly ReceiptRecord[],
  throughBatchId: bigint,
): Promise<void> {
  await pool.query(
    `WITH kept AS (
       INSERT INTO pipeline.receipts (hub_id, boot, seq, missing, state, updated_at)
       SELECT g.hub_id, g.boot, g.seq, g.missing::jsonb, g.state::jsonb, to_timestamp(g.updated_at_ms / 1000)
       FROM unnest($1::int4[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::float8[])
         AS g (hub_id, boot, seq, missing, state, updated_at_ms)
       JOIN public.hubs h ON h.id = g.hub_id
       ON CONFLICT (hub_id) DO UPDATE SET boot = excluded.boot, seq = excluded.seq, missing = excluded.missing,
         state = excluded.state, updated_at = excluded.updated_at
     )
     INSERT INTO pipeline.watermarks (name, batch_id, updated_at) VALUES ('${WATERMARK}', $7, now())
     ON CONFLICT (name) DO UPDATE SET batch_id = greatest(watermarks.batch_id, excluded.batch_id), updated_at = excluded.updated_at`,
    [
      records.map((record) => record.hubId),
      records.map((record) => record.boot),
      records.map((record) => record.seq),
      records.map((record) => JSON.stringify(record.missing)),
      records.map((record) => JSON.stringify(record.state)),
      records.map((record) => record.updatedAtMs),
      throughBatchId,
    ],
  )
}

/** All receipts as last kept. */
export async function loadReceipts(pool: Pool): Promise<ReceiptRecord[]> {
  const result = await pool.query<ReceiptRecord>(
    `SELECT hub_id AS "hubId", boot, seq::float8 AS seq, missing, state,
       (extract(epoch FROM updated_at) * 1000)::float8 AS "updatedAtMs"
     FROM pipeline.receipts ORDER BY hub_id`,
  )
  return result.rows
}

/** The marks of batches that were committed after the receipts were last kept, a batch at a time in order of batch ids. */
export async function receiptMarksSince(pool: Pool): Promise<ReceiptMark[][]> {
  const result = await pool.query<{ receipts: ReceiptMark[] }>(
    `SELECT receipts FROM pipeline.ingest_batches
     WHERE receipts IS NOT NULL
       AND id > coalesce((SELECT batch_id FROM pipeline.watermarks WHERE name = '${WATERMARK}'), 0)
     ORDER BY id`,
  )
  return result.rows.map((row) => row.receipts)
}
