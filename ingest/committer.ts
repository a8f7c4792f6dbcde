import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { DrainedAlreadyError, findBatches } from '../db/batches/write-batch.ts'
import { verdictOf } from '../db/errors.ts'
import type { BacklogUnderWay } from './backlog-under-way.ts'
import { sealBatch } from './batch.ts'
import type { BatchIds, BatchName } from './batch-ids.ts'
import { BatchNotTakenError, type CommitOptions, commitSealed } from './commit.ts'
import { type CommitListener, tellCommitted } from './committed.ts'
import { DatabaseAwayError } from './database-away.ts'
import type { DatabaseGate } from './gate.ts'
import type { HeldMessage } from './message.ts'
import type { IngestMetrics } from './metrics.ts'
import type { Outcomes } from './outcomes.ts'
import type { RecentReadings } from './recent-readings.ts'
import type { Spool } from './spool/types.ts'
import { toSpooled } from './spooled-message.ts'
import { markSuspects } from './suspects.ts'

export interface CommitterOptions {
  pool: Pool
  log: Logger
  ids: BatchIds
  gate: DatabaseGate
  spool: Spool
  metrics: Pick<IngestMetrics, 'copySeconds' | 'copyRows' | 'batchRetries' | 'suspectedResends'>
  recent: RecentReadings
  statementTimeoutMs: number
  /** How long a batch waits for the database before the spool takes it. */
  holdMs: number
  /** Aborted when the service must end now. */
  signal: AbortSignal
  outcomes: Outcomes
  onCommitted?: CommitListener | undefined
  backlog: Pick<BacklogUnderWay, 'behind'>
}

interface WriteOptions {
  /** The name under which all of it was tried already. */
  tried?: BatchName | undefined
  holdMs?: number
  /** For what comes out of the spool: the name to write it under, and those of the other spooled batches in it. */
  drained?: { name: BatchName; others: readonly BatchName[] }
}

/** While neither the database nor the spool takes a batch, it is looked again this often. */
const HELD_POLL_MS = 250
const HELD_LOG_MS = 60_000

/**
 * Makes messages durable: in the database while its gate is closed, in the spool while it is not. Where the spool
 * takes nothing more, they are held until one of the two does.
 */
export class Committer {
  readonly #options: CommitterOptions
  /** The batches under way; times are those of `performance.now()`. */
  readonly #underWay = new Set<{ startedAtMs: number }>()
  #nextHeldLogMs = 0

  constructor(options: CommitterOptions) {
    this.#options = options
  }

  /** Never throws; each message is committed, spooled or given back when it resolves. */
  async commit(messages: HeldMessage[]): Promise<void> {
    const batch = { startedAtMs: performance.now() }
    this.#underWay.add(batch)
    try {
      await this.#commitOrSpool(messages)
    } catch (error) {
      for (const message of messages) this.#options.outcomes.givenBack(message, error as Error)
    } finally {
      this.#underWay.delete(batch)
    }
  }

  /** Seconds that the oldest batch under way has been waiting; 0 when there is none. */
  oldestBatchSeconds(): number {
    const oldest = Math.min(...[...this.#underWay].map(({ startedAtMs }) => startedAtMs))
    return Number.isFinite(oldest) ? (performance.now() - oldest) / 1000 : 0
  }

  /**
   * Writes messages as one transaction and reports what became of them. With a hold time it throws a
   * `BatchNotTakenError` when that is over, and what is drained may throw a `DrainedAlreadyError`; nothing was reported
   * then. Otherwise it never throws. What PostgreSQL refuses
   * beside rows is found by message: its neighbours are committed, and it is given back.
   */
  async write(messages: HeldMessage[], options: WriteOptions): Promise<void> {
    const { outcomes, ids, onCommitted, log, backlog } = this.#options
    const names: BatchName[] = options.tried ? [options.tried] : []
    try {
      const sealed = {
        ...sealBatch(messages),
        ...(options.drained ? { drained: options.drained.others } : {}),
      }
      this.#options.metrics.suspectedResends.inc(markSuspects(sealed.readings, this.#options.recent))
      const outcome = await commitSealed(sealed, this.#commitOptions(names, options))
      for (const name of names) ids.settle(name)
      outcomes.committed(messages, {
        ...outcome,
        readingsDuplicate: outcome.readingsDuplicate + sealed.duplicates.readings,
        doorsDuplicate: outcome.doorsDuplicate + sealed.duplicates.doors,
      })
      tellCommitted({ onCommitted, log, ids, backlog }, messages, { names, rows: sealed, outcome })
    } catch (error) {
      if (error instanceof DrainedAlreadyError) throw error
      if (error instanceof BatchNotTakenError) {
        // Under the last one it may be committed still. The others belong to another process.
        this.settled(names.filter(({ id }) => id !== error.batch.id))
        ids.giveUp(error.batch)
        throw error
      }
      // What is drained stays in the spool, under its name, when the service ends.
      if (this.#options.signal.aborted && messages[0]?.isSpooled) throw error
      for (const name of names) ids.settle(name)
      await this.#writeApart(messages, error as Error)
    }
  }

  /** What of these names the ledger has. Rejects with a `DatabaseAwayError` when the database does not say within the hold time. */
  async committed(names: readonly BatchName[]): Promise<Awaited<ReturnType<typeof findBatches>>> {
    const { pool, holdMs } = this.#options
    if (names.length === 0) return new Map()
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error('the ledger does not answer')), holdMs)
    try {
      return await Promise.race([
        findBatches(
          pool,
          names.map(({ id }) => id),
        ),
        late.promise,
      ])
    } catch (error) {
      throw new DatabaseAwayError(error)
    } finally {
      clearTimeout(timer)
    }
  }

  async #commitOrSpool(messages: HeldMessage[]): Promise<void> {
    const { gate, signal } = this.#options
    let tried: BatchName | undefined
    for (;;) {
      if (gate.mode === 'closed') {
        const away = await this.#writeOrAway(messages, tried)
        if (!away) return
        tried = away.batch
        gate.failed(performance.now(), away.message)
      }
      if (await this.spool(messages, tried)) return
      signal.throwIfAborted()
      await new Promise((resolve) => setTimeout(resolve, HELD_POLL_MS))
    }
  }

  async #writeOrAway(messages: HeldMessage[], tried?: BatchName): Promise<BatchNotTakenError | undefined> {
    try {
      await this.write(messages, { tried, holdMs: this.#options.holdMs })
      return undefined
    } catch (error) {
      if (error instanceof BatchNotTakenError) return error
      throw error
    }
  }

  /** What becomes of these is known. */
  settled(names: readonly BatchName[]): void {
    for (const name of names) this.#options.ids.settle(name)
  }

  /** Puts messages into the spool; resolves to whether it has taken them. */
  async spool(messages: HeldMessage[], tried?: BatchName): Promise<boolean> {
    const { spool, ids, outcomes } = this.#options
    if (spool.state === 'failed') return false
    const name = tried ?? ids.open()
    try {
      await spool.append([toSpooled(messages, name, tried !== undefined)])
    } catch (error) {
      if (!tried) ids.settle(name)
      this.#logHeld(error)
      return false
    }
    // One that was tried may still be committed under its name, so it is settled when it is drained.
    if (!tried) ids.settle(name)
    outcomes.spooled(messages)
    return true
  }

  /** Once in a while: each waiting batch tries again four times a second. */
  #logHeld(error: unknown): void {
    const nowMs = performance.now()
    if (nowMs < this.#nextHeldLogMs) return
    this.#nextHeldLogMs = nowMs + HELD_LOG_MS
    this.#options.log.warn({ err: error }, 'the spool takes nothing more: messages are held, hubs wait')
  }

  async #writeApart(messages: HeldMessage[], error: Error): Promise<void> {
    const { log, outcomes } = this.#options
    if (messages.length > 1 && verdictOf(error) === 'data') {
      const half = Math.ceil(messages.length / 2)
      await this.write(messages.slice(0, half), {})
      await this.write(messages.slice(half), {})
      return
    }
    log.error({ err: error, messages: messages.length }, 'not committed: given back to their clients')
    for (const message of messages) outcomes.givenBack(message, error)
  }

  #commitOptions(names: BatchName[], { tried, holdMs, drained }: WriteOptions): CommitOptions {
    let given = drained?.name
    const { pool, log, ids, metrics, statementTimeoutMs, signal } = this.#options
    return {
      pool,
      log,
      statementTimeoutMs,
      signal,
      tried,
      holdMs,
      nameBatch: () => {
        const name = given ?? ids.open()
        given = undefined
        names.push(name)
        return name
      },
      onCommitted: (outcome, seconds) => {
        const rows = outcome.readings + outcome.readingsDuplicate + outcome.doors + outcome.doorsDuplicate
        if (rows === 0) return
        metrics.copySeconds.observe(seconds)
        metrics.copyRows.observe(rows)
      },
      onRetry: () => metrics.batchRetries.inc(),
    }
  }
}
