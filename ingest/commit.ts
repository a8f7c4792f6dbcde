import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { BatchIdTakenError, type BatchOutcome, findBatch, writeBatch } from '../db/batches/write-batch.ts'
import { databaseError, verdictOf } from '../db/errors.ts'
import {
  halveRows,
  hasMoreThanRows,
  rejectOnlyRow,
  rowCount,
  type SealedBatch,
  splitRows,
  toBatch,
} from './batch.ts'

export interface CommitOptions {
  pool: Pool
  log: Logger
  nextBatchId: () => bigint
  /** UUID of this process. */
  writer: string
  statementTimeoutMs: number
  /** Aborted when the service must end now: a batch that is not committed by then stays unacknowledged. */
  signal: AbortSignal
  /** Told of each committed transaction: its rows and how long it took. */
  onCommitted: (outcome: BatchOutcome, seconds: number) => void
  /** Told of each attempt that failed and is repeated. */
  onRetry: () => void
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

/**
 * Makes a sealed batch durable. While the database is away it tries again, with the same batch id, until it
 * succeeds or the signal is aborted (then it throws). A row that PostgreSQL refuses is found by halving, in at most
 * 2·log2(rows) + 3 transactions for each such row, and kept as rejected; the rest is stored. Throws PostgreSQL's error
 * when it refuses something that is no row.
 */
export async function commitSealed(sealed: SealedBatch, options: CommitOptions): Promise<BatchOutcome> {
  try {
    return await writeWithRetry(sealed, options)
  } catch (error) {
    const refusal = databaseError(error)
    if (!refusal || rowCount(sealed) === 0) throw error
    if (hasMoreThanRows(sealed)) return commitBoth(splitRows(sealed), options)
    if (rowCount(sealed) > 1) return commitBoth(halveRows(sealed), options)
    options.log.error({ err: refusal }, 'PostgreSQL refused a row: it is kept as rejected')
    return writeWithRetry(rejectOnlyRow(sealed, refusal), options)
  }
}

async function commitBoth(
  [first, second]: [SealedBatch, SealedBatch],
  options: CommitOptions,
): Promise<BatchOutcome> {
  return sum(await commitSealed(first, options), await commitSealed(second, options))
}

/** Throws only what a retry cannot mend: bad data, or the end of the service. */
async function writeWithRetry(sealed: SealedBatch, options: CommitOptions): Promise<BatchOutcome> {
  const { pool, log, signal, writer, nextBatchId } = options
  let batch = toBatch(sealed, { id: nextBatchId(), writer })
  let delayMs = RETRY_FIRST_MS
  for (let attempt = 1; ; attempt++) {
    try {
      // After a failure the answer to COMMIT may just have been lost: the ledger knows.
      const known = attempt > 1 ? await findBatch(pool, batch) : undefined
      if (known) return known
      const startedAt = performance.now()
      const outcome = await writeBatch(pool, batch, {
        statementTimeoutMs: options.statementTimeoutMs,
        expectDuplicates: attempt > 1,
      })
      options.onCommitted(outcome, (performance.now() - startedAt) / 1000)
      return outcome
    } catch (error) {
      if (verdictOf(error) === 'data') throw error
      if (error instanceof BatchIdTakenError) batch = toBatch(sealed, { id: nextBatchId(), writer })
      log.warn({ err: error, attempt, retryInMs: delayMs }, 'batch not committed yet, trying again')
      options.onRetry()
      await sleep(delayMs, undefined, { signal })
      delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
    }
  }
}

function sum(a: BatchOutcome, b: BatchOutcome): BatchOutcome {
  return {
    readings: a.readings + b.readings,
    readingsDuplicate: a.readingsDuplicate + b.readingsDuplicate,
    doors: a.doors + b.doors,
    doorsDuplicate: a.doorsDuplicate + b.doorsDuplicate,
  }
}
