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
  /**
   * When the transaction began that has committed it: each with a higher `tx` has committed later. By our clock, epoch milliseconds;
   * null in rows of early versions.
   */
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

/** What the ledger shows next, and what it has behind a transaction that is still open. */
export interface ShownPage extends LedgerPage {
  /** Committed, and still to be read when no older transaction is open any more. */
  hidden: LedgerBatch[]
  /** Whether there is nothing else behind the cursor. */
  isWhole: boolean
}

/** Which batches are read past a transaction that is still open: those that `to` shows and `from` did not. */
export interface SnapshotSpan {
  /** As `pg_current_snapshot()` writes it; undefined: nothing was looked at before. */
  from: string | undefined
  to: string
  /** Within the span. */
  after: LedgerCursor
}

interface Row {
  id: string
  tx: string
  readings: number
  doors: number
  from_ms: number | null
  to_ms: number | null
  /** By the clock of the database, which has written when it was committed. */
  age_ms: number | null
}

const COLUMNS = `id, tx, readings, doors, ${epochMs('recorded_from')} AS from_ms, ${epochMs('recorded_to')} AS to_ms,
  ${epochMs('statement_timestamp() - committed_at')} AS age_ms`

/**
 * The next batches after the cursor, none left out: identities and times are not in the order of commits, so only
 * transactions are read that are older than every one still open (in any database of the cluster: a long one holds
 * this back). `limit` counts all batches, also those without readings, and those that are hidden.
 */
export async function ledgerPage(
  client: ClientBase,
  cursor: LedgerCursor,
  { limit, nowMs = Date.now() }: { limit: number; nowMs?: number },
): Promise<ShownPage> {
  const { rows } = await client.query<Row & { is_shown: boolean }>(
    `SELECT ${COLUMNS}, tx < (SELECT pg_snapshot_xmin(pg_current_snapshot())) AS is_shown FROM pipeline.ingest_batches
     WHERE (tx, id) > ($1::xid8, $2::bigint)
     ORDER BY tx, id LIMIT $3`,
    [cursor.tx, cursor.batchId, limit],
  )
  const shown = rows.filter(({ is_shown }) => is_shown)
  const hidden = rows.filter(({ is_shown }) => !is_shown)
  return {
    ...toPage(shown, { before: cursor, limit, nowMs }),
    hidden: batchesOf(hidden, nowMs),
    isWhole: rows.length < limit,
  }
}

/** What the database shows at this moment: also what `ledgerPage` does not, behind a transaction that is still open. */
export async function currentSnapshot(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ now: string }>('SELECT pg_current_snapshot()::text AS now')
  return rows[0]?.now ?? ''
}

/**
 * The next committed batches of a span behind the cursor, also those that are newer than a transaction still open. One span
 * after the other they leave none out: what `from` did not show was either in flight then, or had not begun.
 */
export async function heldBackPage(
  client: ClientBase,
  cursor: LedgerCursor,
  { from, to, after, limit, nowMs = Date.now() }: SnapshotSpan & { limit: number; nowMs?: number },
): Promise<LedgerPage> {
  const begin = later(cursor, after)
  // Else the index would be read from the cursor on each time, however long the transaction has been open.
  const ofSpan =
    from === undefined
      ? 'NOT MATERIALIZED (SELECT * FROM pipeline.ingest_batches)'
      : `MATERIALIZED (SELECT * FROM pipeline.ingest_batches
         WHERE tx >= greatest($1::xid8, pg_snapshot_xmax($5::pg_snapshot))
           OR tx = ANY (ARRAY(SELECT pg_snapshot_xip($5::pg_snapshot))))`
  const { rows } = await client.query<Row>(
    `WITH of_span AS ${ofSpan}
     SELECT ${COLUMNS} FROM of_span
     WHERE (tx, id) > ($1::xid8, $2::bigint) AND pg_visible_in_snapshot(tx, $3::pg_snapshot)
     ORDER BY tx, id LIMIT $4`,
    [begin.tx, begin.batchId, to, limit, ...(from === undefined ? [] : [from])],
  )
  return toPage(rows, { before: after, limit, nowMs })
}

function later(one: LedgerCursor, other: LedgerCursor): LedgerCursor {
  const [tx, otherTx] = [BigInt(one.tx), BigInt(other.tx)]
  const isOneLater = tx === otherTx ? one.batchId > other.batchId : tx > otherTx
  return isOneLater ? one : other
}

function toPage(
  rows: readonly Row[],
  { before, limit, nowMs }: { before: LedgerCursor; limit: number; nowMs: number },
): LedgerPage {
  const last = rows.at(-1)
  return {
    batches: batchesOf(rows, nowMs),
    cursor: last ? { tx: last.tx, batchId: BigInt(last.id) } : before,
    isFull: rows.length === limit,
  }
}

function batchesOf(rows: readonly Row[], nowMs: number): LedgerBatch[] {
  return rows
    .filter(({ readings, doors }) => readings + doors > 0)
    .map(({ id, tx, readings, doors, from_ms, to_ms, age_ms }) => ({
      id: BigInt(id),
      tx,
      readings,
      doors,
      recordedFromMs: rounded(from_ms),
      recordedToMs: rounded(to_ms),
      committedAtMs: age_ms === null ? null : Math.round(nowMs - age_ms),
    }))
}

const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms))
