import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { onConnection } from '../db/batches/transaction.ts'
import { openCursor } from '../db/evaluation/cursor.ts'
import { cursorMovedAt, type Downtime, writeDowntime } from '../db/evaluation/downtime.ts'
import type { CommitListener } from '../ingest/committed.ts'
import { within } from '../ingest/within.ts'
import { ClockWatch } from './clock-watch.ts'
import { HandOver } from './hand-over.ts'
import { giveLeaseBack, LeaseLostError, waitForLease } from './lease.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import { type PagingSettings, pagingLimits } from './paging/config.ts'
import { Session } from './session.ts'
import { EVALUATOR } from './session-writer.ts'
import type { EvaluatorSettings } from './settings.ts'

export interface EvaluatorOptions {
  pool: Pool
  log: Logger
  metrics: EvaluatorMetrics
  settings: EvaluatorSettings & PagingSettings & { DATABASE_STATEMENT_TIMEOUT_MS: number }
  /** Told when messages to operators wait to be published. */
  onTold?: () => void
  /** The wall clock, epoch milliseconds. */
  now?: () => number
}

const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 5_000
/** A cursor that stood for so long: nobody has evaluated meanwhile. It is moved every few seconds. */
const STOOD_STILL_MS = 60_000
/** For the last save, and for giving back the lease. */
const STOP_STEP_MS = 3_000

/**
 * Turns committed rows into alerts. It waits until it is the only one, then takes turns until something fails; then it forgets
 * what it holds and begins anew from the database.
 */
export class Evaluator {
  readonly #options: EvaluatorOptions
  readonly #handOver: HandOver
  readonly #end = new AbortController()
  readonly #holder = randomUUID()
  readonly #now: () => number
  readonly #clock: ClockWatch
  #running: Promise<void> | undefined
  /** Since when the database has been failing, epoch milliseconds. */
  #failingSinceMs: number | undefined
  #session: Session | undefined
  /** Whether this process is the one that evaluates. */
  isActive = false

  constructor(options: EvaluatorOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#clock = new ClockWatch(this.#now(), performance.now())
    this.#handOver = new HandOver(options.settings.EVALUATOR_HANDED_ROWS_MAX)
  }

  /** For ingest: takes note of a committed batch. */
  readonly committed: CommitListener = (batch, settledId) => this.#handOver.offer(batch, settledId)

  /** Begins in the background; never throws. The database must have been migrated. */
  start(): void {
    this.#running ??= this.#run()
  }

  /** Finishes the turn under way and stores what is only in memory. Ends within a few seconds, also while the database hangs. */
  async stop(): Promise<void> {
    this.#end.abort()
    await within(STOP_STEP_MS * 2, this.#running ?? Promise.resolve())
  }

  /** What an operator is told: units that cannot be evaluated. */
  notices(): string[] {
    return this.#session?.notices() ?? []
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    let delayMs = RETRY_FIRST_MS
    while (!signal.aborted) {
      const startedAtMs = performance.now()
      try {
        await this.#evaluate()
      } catch (error) {
        this.#noteFailure(error)
      }
      this.isActive = false
      this.#handOver.close()
      if (performance.now() - startedAtMs > RETRY_MAX_MS) delayMs = RETRY_FIRST_MS
      await sleep(delayMs, undefined, { signal }).catch(() => undefined)
      delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
    }
  }

  #noteFailure(error: unknown): void {
    const { log, metrics } = this.#options
    if (this.#end.signal.aborted) return
    metrics.failures.inc()
    // Once, however long the database is away.
    if (this.#failingSinceMs === undefined) {
      log.warn({ err: error }, 'the evaluator begins anew from the database')
    }
    this.#failingSinceMs = error instanceof LeaseLostError ? undefined : (this.#failingSinceMs ?? this.#now())
  }

  /** Until something fails, or the end. */
  async #evaluate(): Promise<void> {
    const { pool, log, settings } = this.#options
    const { signal } = this.#end
    const lease = { name: EVALUATOR, holder: this.#holder, forMs: settings.EVALUATOR_LEASE_MS }
    const onWait = () => log.info('another process evaluates: this one takes over when it ends')
    if (!(await waitForLease(pool, lease, { signal, onWait }))) return
    try {
      const session = await this.#open(lease)
      this.#session = session
      this.isActive = true
      this.#failingSinceMs = undefined
      while (!signal.aborted) {
        if (!session.isBehind) await this.#handOver.news(settings.EVALUATOR_POLL_MS, signal)
        // What is known of silence is read again.
        if (await this.#isClockSet()) return
        await session.turn()
      }
      await within(STOP_STEP_MS, session.end())
    } finally {
      if (signal.aborted) await within(STOP_STEP_MS, giveLeaseBack(pool, lease))
    }
  }

  async #open(lease: { name: string; holder: string; forMs: number }): Promise<Session> {
    const { pool, log, settings, metrics, onTold } = this.#options
    await onConnection(pool, async (client) => {
      for (const downtime of this.#downtimes(await cursorMovedAt(client, EVALUATOR))) {
        await writeDowntime(client, downtime)
      }
    })
    const { cursor, restored } = await openCursor(pool, EVALUATOR)
    if (restored) log.warn('the database was restored: what was read in its last hour is evaluated again')
    return Session.open(
      {
        pool,
        lease,
        handOver: this.#handOver,
        metrics,
        settings,
        limits: pagingLimits(settings),
        statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
        now: this.#now,
        onDefect: (message) => log.warn(`a rule is left out: ${message}`),
        onSetAside: (subject, error) =>
          log.error(
            { err: error },
            `${subject} cannot be evaluated: it is set aside, so that the others go on, and tried again every minute`,
          ),
        onBack: (subject) => log.info(`${subject} is evaluated again`),
        onTold: onTold ?? (() => {}),
      },
      cursor,
    )
  }

  /** The time since somebody last evaluated, where that is long ago. */
  #downtimes(movedAtMs: number | undefined): Downtime[] {
    const nowMs = this.#now()
    if (movedAtMs === undefined || nowMs - movedAtMs < STOOD_STILL_MS) return []
    const part = this.#failingSinceMs === undefined ? 'evaluator' : 'database'
    return [{ part, fromMs: movedAtMs, toMs: nowMs, detail: 'nothing was evaluated' }]
  }

  /** Whether the wall clock was set by more than a minute; then that counts as downtime. */
  async #isClockSet(): Promise<boolean> {
    const step = this.#clock.check(this.#now(), performance.now())
    if (!step) return false
    this.#options.log.warn(step, 'the clock of this machine was set: silence is not judged across it')
    await onConnection(this.#options.pool, (client) =>
      writeDowntime(client, { part: 'clock', ...step, detail: 'the clock of the machine was set' }),
    )
    return true
  }
}
