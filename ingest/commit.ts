import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import {
  BatchIdTakenError,
  type BatchOutcome,
  DrainedAlreadyError,
  findBatch,
  writeBatch,
} from '../db/batches/write-batch.ts'
import { refusalOf, verdictOf } from '../db/errors.ts'
import {
  halveRows,
  hasMoreThanRows,
  rejectOnlyRow,
  rowCount,
  type SealedBatch,
  splitRows,
  toBatch,
} from './batch.ts'
import type { BatchName } from './batch-ids.ts'
import { DatabaseAwayError } from './database-away.ts'

export interface CommitOptions {
  pool: Pool
  log: Logger
  /** Gives a new batch its id and the UUID of its writer. */
  nameBatch: () => BatchName
  /** What the whole batch was already tried under: it may be committed, the answer lost. */
  tried?: BatchName | undefined
  statementTimeoutMs: number
  /** How long the database may fail or be silent before the whole batch is given up with a `BatchNotTakenError`. */
  holdMs?: number | undefined
  /** Aborted when the service must end now: a batch that is not committed by then stays unacknowledged. */
  signal: AbortSignal
  /** Told of each committed transaction: its rows and how long it took. */
  onCommitted: (outcome: BatchOutcome, seconds: number) => void
  /** Told of each attempt that failed and is repeated. */
  onRetry: () => void
}

/** The database did not take a batch within the hold time. It may be committed all the same, under this name. */
export class BatchNotTakenError extends DatabaseAwayError {
  override name = 'BatchNotTakenError'
  readonly batch: BatchName

  constructor(batch: BatchName, cause: unknown) {
    super(cause)
    this.batch = batch
  }
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 2_000

/**
 * Makes a sealed batch durable. While the database is away it tries again, with the same batch id, until it
 * succeeds, the hold time is over or the signal is aborted (then it throws). A row that PostgreSQL refuses is found by
 * halving, in at most 2·log2(rows) + 3 transactions for each such row, and kept as rejected; the rest is stored. Throws
 * PostgreSQL's error when it refuses something that is no row. Once a batch is halved it is not given up any more:
 * parts of it are committed.
 */
export async function commitSealed(sealed: SealedBatch, options: CommitOptions): Promise<BatchOutcome> {
  try {
    return await writeWithRetry(sealed, options)
  } catch (error) {
    const refusal = refusalOf(error)
    if (!refusal || error instanceof DatabaseAwayError || rowCount(sealed) === 0) throw error
    const parts = { ...options, tried: undefined, holdMs: undefined }
    if (hasMoreThanRows(sealed)) return commitBoth(splitRows(sealed), parts)
    if (rowCount(sealed) > 1) return commitBoth(halveRows(sealed), parts)
    options.log.error({ err: refusal }, 'a row cannot be stored: it is kept as rejected')
    return writeWithRetry(rejectOnlyRow(sealed, refusal), parts)
  }
}

async function commitBoth(
  [first, second]: [SealedBatch, SealedBatch],
  options: CommitOptions,
): Promise<BatchOutcome> {
  return sum(await commitSealed(first, options), await commitSealed(second, options))
}

/** Throws only what a retry cannot mend: bad data, the end of the hold time or of the service. */
async function writeWithRetry(sealed: SealedBatch, options: CommitOptions): Promise<BatchOutcome> {
  const patience = openPatience(options.signal, options.holdMs)
  let name = options.tried ?? options.nameBatch()
  let delayMs = RETRY_FIRST_MS
  let failure: unknown
  try {
    for (let attempt = options.tried ? 2 : 1; ; attempt++) {
      try {
        return await patience.keep(attemptWrite(sealed, { options, name, attempt, signal: patience.signal }))
      } catch (error) {
        if (patience.signal.aborted)
          throw patience.isHoldOver() ? new BatchNotTakenError(name, failure) : error
        if (verdictOf(error) === 'data' || error instanceof DrainedAlreadyError) throw error
        if (error instanceof BatchIdTakenError) name = options.nameBatch()
        failure = error
        options.log.warn({ err: error, attempt, retryInMs: delayMs }, 'batch not committed yet, trying again')
        options.onRetry()
        await sleep(delayMs, undefined, { signal: patience.signal }).catch(() => undefined)
        delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
      }
    }
  } finally {
    patience.end()
  }
}

async function attemptWrite(
  sealed: SealedBatch,
  at: { options: CommitOptions; name: BatchName; attempt: number; signal: AbortSignal },
): Promise<BatchOutcome> {
  const { pool, statementTimeoutMs, onCommitted } = at.options
  at.signal.throwIfAborted()
  const batch = toBatch(sealed, at.name)
  // After a failure the answer to COMMIT may just have been lost: the ledger knows.
  const known = at.attempt > 1 ? await findBatch(pool, batch) : undefined
  if (known && batch.drained) throw new DrainedAlreadyError(`batch ${batch.id} is in the ledger`)
  if (known) return known
  const startedAt = performance.now()
  const outcome = await writeBatch(pool, batch, {
    statementTimeoutMs,
    expectDuplicates: at.attempt > 1,
    signal: at.signal,
  })
  onCommitted(outcome, (performance.now() - startedAt) / 1000)
  return outcome
}

interface Patience {
  signal: AbortSignal
  /** The work's result, or a rejection as soon as it is not waited for any longer. */
  keep<T>(work: Promise<T>): Promise<T>
  isHoldOver(): boolean
  end(): void
}

/** How long a batch is waited for: until the hold time is over, if there is one, or the service ends. */
function openPatience(end: AbortSignal, holdMs: number | undefined): Patience {
  const over = new AbortController()
  let isHoldOver = false
  const onEnd = () => over.abort(end.reason)
  if (end.aborted) onEnd()
  end.addEventListener('abort', onEnd, { once: true })
  const timer = setTimeout(() => {
    isHoldOver = true
    over.abort()
  }, holdMs ?? 0)
  if (holdMs === undefined) clearTimeout(timer)
  return {
    signal: over.signal,
    keep: (work) =>
      new Promise((resolve, reject) => {
        const giveUp = () => reject(over.signal.reason)
        if (over.signal.aborted) giveUp()
        over.signal.addEventListener('abort', giveUp, { once: true })
        work.then(resolve, reject).finally(() => over.signal.removeEventListener('abort', giveUp))
      }),
    isHoldOver: () => isHoldOver,
    end() {
      clearTimeout(timer)
      end.removeEventListener('abort', onEnd)
    },
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
