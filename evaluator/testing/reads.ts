import type { Pool } from 'pg'
import { Reads } from '../reads.ts'

/** Reads as an evaluator on this pool reads. */
export function readsOf(
  pool: Pool,
  statementTimeoutMs = 30_000,
  standStillMs = 60_000,
  turnMs = 2_000,
): Reads {
  return new Reads({ pool, statementTimeoutMs, standStillMs, turnMs, now: Date.now })
}
