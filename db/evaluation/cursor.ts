import type { ClientBase, Pool } from 'pg'
import { onConnection } from '../batches/transaction.ts'

/** A place in the ledger: everything up to `(tx, batchId)` has been read. */
export interface LedgerCursor {
  /** Decimal digits. */
  tx: string
  batchId: bigint
}

/** Before the first batch. */
export const LEDGER_START: LedgerCursor = { tx: '0', batchId: -1n }

/** Batches this long before the cursor was last written are read again after a restore: clocks are not exact. */
const RESTORED_OVERLAP_MINUTES = 60

/** A restored ledger may be large, and it is looked through once. */
const ADOPT_TIMEOUT_MS = 10 * 60_000

/**
 * Where the reader `name` goes on; a new one begins at `start`. To be asked after each connect. Where the ledger was
 * restored into another cluster, transactions count from elsewhere: then the batches that nobody has read, and those of the
 * last hour once more, are stamped anew, and `restored` is true. The cursor says where it was, if there was one; and what is of
 * a transaction that is still to come here can only be of elsewhere.
 */
export function openCursor(
  pool: Pool,
  name: string,
  start: LedgerCursor = LEDGER_START,
): Promise<{ cursor: LedgerCursor; restored: boolean }> {
  return onConnection(pool, async (client) => {
    await client.query('BEGIN')
    // Not ON CONFLICT DO UPDATE: `updated_at` says when the ledger was last read.
    await client.query(
      `INSERT INTO pipeline.evaluator_cursors (name, tx, batch_id, cluster)
       SELECT $1, $2, $3, system_identifier::text FROM pg_control_system() ON CONFLICT (name) DO NOTHING`,
      [name, start.tx, start.batchId],
    )
    // First: what somebody else writes until then may be newer than the snapshot of this statement.
    await client.query('SELECT FROM pipeline.evaluator_cursors WHERE name = $1 FOR UPDATE', [name])
    const { rows } = await client.query<{ tx: string; batch_id: string; restored: boolean }>(
      `SELECT tx, batch_id, cluster <> (SELECT system_identifier::text FROM pg_control_system())
         OR greatest(tx, (SELECT tx FROM pipeline.ingest_batches ORDER BY tx DESC LIMIT 1)) >= pg_snapshot_xmax(pg_current_snapshot())
         AS restored
       FROM pipeline.evaluator_cursors WHERE name = $1`,
      [name],
    )
    const row = rows[0]
    if (!row) throw new Error(`The cursor ${name} was not kept`)
    const cursor = row.restored
      ? await adoptLedger(client, name)
      : { tx: row.tx, batchId: BigInt(row.batch_id) }
    await client.query('COMMIT')
    return { cursor, restored: row.restored }
  })
}

/**
 * Stamps what must be read (again) with the present transaction, and what has been read and lies ahead of this cluster's
 * transactions with 0. The cursor goes before all transactions that are in flight now.
 */
async function adoptLedger(client: ClientBase, name: string): Promise<LedgerCursor> {
  await client.query(`SET LOCAL statement_timeout = ${ADOPT_TIMEOUT_MS}`)
  const query = {
    text: `
      WITH known AS (
        SELECT tx, batch_id, updated_at - $2 * interval '1 minute' AS read_until FROM pipeline.evaluator_cursors WHERE name = $1
      ), stamped AS (
        UPDATE pipeline.ingest_batches batch
        SET tx = CASE WHEN (batch.tx, batch.id) > (known.tx, known.batch_id) OR committed_at >= read_until
          THEN pg_current_xact_id() ELSE '0'::xid8 END
        FROM known
        WHERE (batch.tx, batch.id) > (known.tx, known.batch_id) OR committed_at >= read_until
          OR batch.tx >= pg_snapshot_xmin(pg_current_snapshot())
      )
      UPDATE pipeline.evaluator_cursors
      SET tx = pg_snapshot_xmin(pg_current_snapshot()), batch_id = -1,
        cluster = (SELECT system_identifier::text FROM pg_control_system())
      WHERE name = $1 RETURNING tx`,
    values: [name, RESTORED_OVERLAP_MINUTES],
    // Instead of the pool's.
    query_timeout: ADOPT_TIMEOUT_MS,
  }
  const { rows } = await client.query<{ tx: string }>(query)
  const row = rows[0]
  if (!row) throw new Error(`The cursor ${name} went away while its ledger was adopted`)
  return { tx: row.tx, batchId: -1n }
}

/**
 * Moves the cursor in the transaction of what was made of the batches. Throws when it is not where this reader left it:
 * another one has read on, or the database was restored. Then begin anew with `openCursor`.
 */
export async function moveCursor(
  client: ClientBase,
  name: string,
  { from, to }: { from: LedgerCursor; to: LedgerCursor },
): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE pipeline.evaluator_cursors SET tx = $4, batch_id = $5 WHERE name = $1 AND tx = $2 AND batch_id = $3`,
    [name, from.tx, from.batchId, to.tx, to.batchId],
  )
  if (rowCount === 1) return
  throw new Error(
    `The cursor ${name} is no longer at transaction ${from.tx}, batch ${from.batchId}: another process has read on, or ` +
      'the database was restored. What this one made of the ledger is not kept; it begins again where the cursor is.',
  )
}
