import type { ClientBase } from 'pg'
import type { LedgerCursor } from './cursor.ts'
import { epochMs } from './instants.ts'

/** A committed batch, as the ledger has it. */
export interface LedgerBatch {
  id: bigint
  /** The transaction that has committed it. */
  tx: string
  readings: number
  doors: number
  /** The span of its times, epoch milliseconds; null where it has none, or is of an early version. */
  recordedFromMs: number | null
  recordedToMs: number | null
  /** Epoch milliseconds; null in rows of early versions. */
  committedAtMs: number | null
}

export interface LedgerPage {
  /** Those with readings or door events. */
  batches: LedgerBatch[]
  /** Behind the last batch of the page. */
  cursor: LedgerCursor
  /** Whether the page was full, so that there may be more at once. */
  isFull: boolean
}

interface Row {
  id: string
  tx: string
  readings: number
  doors: number
  from_ms: number | null
  to_ms: number | null
  committed_ms: number | null
}

/**
 * The next batches after the cursor, none left out: identities and times are not in the order of commits, so only
 * transactions are read that are older than every one still open (in any database of the cluster: a long one holds
 * this back). `limit` counts all batches, also those without readings.
 */
export async function ledgerPage(
  client: ClientBase,
  cursor: LedgerCursor,
  { limit }: { limit: number },
): Promise<LedgerPage> {
  const { rows } = await client.query<Row>(
    `SELECT id, tx, readings, doors, ${epochMs('recorded_from')} AS from_ms, ${epochMs('recorded_to')} AS to_ms,
       ${epochMs('committed_at')} AS committed_ms
     FROM pipeline.ingest_batches
     WHERE (tx, id) > ($1::xid8, $2::bigint) AND tx < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY tx, id LIMIT $3`,
    [cursor.tx, cursor.batchId, limit],
  )
  const last = rows.at(-1)
  return {
    batches: rows.filter(({ readings, doors }) => readings + doors > 0).map(toBatch),
    cursor: last ? { tx: last.tx, batchId: BigInt(last.id) } : cursor,
    isFull: rows.length === limit,
  }
}

function toBatch({ id, tx, readings, doors, from_ms, to_ms, committed_ms }: Row): LedgerBatch {
  return {
    id: BigInt(id),
    tx,
    readings,
    doors,
    recordedFromMs: rounded(from_ms),
    recordedToMs: rounded(to_ms),
    committedAtMs: rounded(committed_ms),
  }
}

const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms))
