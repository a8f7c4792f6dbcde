import type { Pool } from 'pg'
import type { ReceiptMark } from './batches/write-batch.ts'
import { queryWithLimit } from './limited-query.ts'

/** The newest receipt of a hub, with what is needed to go on from it. */
export interface ReceiptRecord {
  hubId: number
  boot: string
  seq: number
  /** As the hub is told: counters, and runs as `[from, to]`. */
  missing: readonly unknown[]
  /** Opaque to the database: see ingest's receipt tracker. */
  state: unknown
  /** Epoch milliseconds. */
  updatedAtMs: number
}

const WATERMARK = 'receipts'
/** A ledger row may have thousands of marks. */
const LEDGER_PAGE_ROWS = 200

/**
 * Keeps receipts, and says that they hold every batch up to `throughBatchId`. One transaction. In order of hub ids, as
 * everyone who locks several hubs does: each new receipt locks its hub (foreign key), and out of order that may end in
 * a deadlock (40P01).
 */
export async function saveReceipts(
  pool: Pool,
  records: readonly ReceiptRecord[],
  throughBatchId: bigint,
): Promise<void> {
  await queryWithLimit(
    pool,
    `WITH kept AS (
       INSERT INTO pipeline.receipts (hub_id, boot, seq, missing, state, updated_at)
       SELECT g.hub_id, g.boot, g.seq, g.missing::jsonb, g.state::jsonb, to_timestamp(g.updated_at_ms / 1000)
       FROM unnest($1::int4[], $2::text[], $3::int8[], $4::text[], $5::text[], $6::float8[])
         AS g (hub_id, boot, seq, missing, state, updated_at_ms)
       JOIN public.hubs h ON h.id = g.hub_id
       ORDER BY g.hub_id
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
  const result = await queryWithLimit<ReceiptRecord>(
    pool,
    `SELECT hub_id AS "hubId", boot, seq::float8 AS seq, missing, state,
       (extract(epoch FROM updated_at) * 1000)::float8 AS "updatedAtMs"
     FROM pipeline.receipts ORDER BY hub_id`,
  )
  return result.rows
}

/** The newest batch that the receipts hold, with all before it; 0 at the beginning. */
export async function receiptsWatermark(pool: Pool): Promise<bigint> {
  const result = await queryWithLimit<{ batchId: string }>(
    pool,
    'SELECT batch_id AS "batchId" FROM pipeline.watermarks WHERE name = $1',
    [WATERMARK],
  )
  return BigInt(result.rows[0]?.batchId ?? 0)
}

/** The next page of the ledger in order of batch ids, each batch with its marks; empty at the end. */
export async function receiptMarksAfter(
  pool: Pool,
  batchId: bigint,
): Promise<{ id: bigint; marks: ReceiptMark[] }[]> {
  const result = await queryWithLimit<{ id: string; receipts: ReceiptMark[] | null }>(
    pool,
    'SELECT id, receipts FROM pipeline.ingest_batches WHERE id > $1 ORDER BY id LIMIT $2',
    [batchId, LEDGER_PAGE_ROWS],
  )
  return result.rows.map(({ id, receipts }) => ({ id: BigInt(id), marks: receipts ?? [] }))
}
