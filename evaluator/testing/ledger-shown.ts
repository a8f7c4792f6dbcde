import type { Pool } from 'pg'
import { until } from '../../db/testing/poll.ts'

/** Transactions of other tests hold the ledger back for a moment: waits until it shows all that is committed. */
export function untilShown(pool: Pool): Promise<void> {
  return until('the ledger shows all', () => isShown(pool))
}

export async function isShown(pool: Pool): Promise<boolean> {
  const { rows } = await pool.query(
    'SELECT FROM pipeline.ingest_batches WHERE tx >= pg_snapshot_xmin(pg_current_snapshot())',
  )
  return rows.length === 0
}
