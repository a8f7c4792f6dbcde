import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { onConnection } from '../db/batches/transaction.ts'
import { lookAtBrokers } from '../db/evaluation/broker-downtime.ts'
import { openCursor } from '../db/evaluation/cursor.ts'
import { cursorMovedAt, type Downtime, writeDowntime } from '../db/evaluation/downtime.ts'
import { within } from '../ingest/within.ts'
import { ClockWatch, type Interval } from './clock-watch.ts'
import { HandOver } from './hand-over.ts'
import { giveLeaseBack, type HeldLease, LeaseLostError, waitForLease } from './lease.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import { type PagingSettings, pagingLimits } from './paging/config.ts'
import { LateAnswerError, Reads } from './reads.ts'
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
  /** Share of the last moments in which the thread was busy that takes what arrives. */
  utilization?: () => number
  /** Of the lease: one that comes after another one that has died has it at once if it has the same. */
  holder?: string
}

/** Why nothing is evaluated, and since when (epoch milliseconds). */
interface EvaluatorFailure {
  sinceMs: number
  error: unknown
}

const RETRY_FIRST_MS = 250
const RETRY_MAX_MS = 5_000
/** A cursor that stood, or a read that was asked again, for so long: nobody has evaluated meanwhile. The cursor is moved every few seconds. */
const STOOD_STILL_MS = 60_000
/** How often it is looked whether a broker is there. */
const BROKER_LOOK_MS = 1_000
/** For the last save, and for giving back the lease. */
const STOP_STEP_MS = 3_000

/**
 * Turns committed rows into alerts. It waits until it is the only one, then takes turns until something fails; then it forgets
 * what it holds and begins anew from the database.
 */
export class Evaluator {
  readonly #options: EvaluatorOptions
  /** Takes note of what is committed, ahead of the ledger. */
  readonly handOver: HandOver
  readonly #end = new AbortController()
  readonly #holder: string
  readonly #now: () => number
  readonly #clock: ClockWatch
  /** Of the session under way, or of the last one. */
  #reads: Reads | undefined
  #running: Promise<void> | undefined
  #failing: EvaluatorFailure | undefined
  #isActive = false
  #session: Session | undefined
  /** In which a read was waited for too long; undefined: it is noted, or there was none. */
  #unheard: Interval | undefined
  /** What was last known of times without a broker. */
  #brokers = ''
  #nextBrokerLookMs = 0

  constructor(options: EvaluatorOptions) {
    this.#options = options
    this.#holder = options.holder ?? randomUUID()
    this.#now = options.now ?? Date.now
    this.#clock = new ClockWatch(this.#now(), performance.now())
    this.handOver = new HandOver(options.settings.EVALUATOR_HANDED_ROWS_MAX)
  }

  /** Whether this process is the one that evaluates. */
  get isActive(): boolean {
    return this.#isActive
  }

  /** Undefined while it works, or waits for the one that does. */
  get failing(): EvaluatorFailure | undefined {
    return this.#failing ?? this.#reads?.waiting
  }

  #setActive(isActive: boolean): void {
    this.#isActive = isActive
    this.#options.metrics.active.set(isActive ? 1 : 0)
  }

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
      this.#setActive(false)
      this.handOver.close()
      if (performance.now() - startedAtMs > RETRY_MAX_MS) delayMs = RETRY_FIRST_MS
      await sleep(delayMs, undefined, { signal }).catch(() => undefined)
      delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)
    }
  }

  #noteFailure(error: unknown): void {
    const { log, metrics } = this.#options
    if (this.#end.signal.aborted) return
    metrics.failures.inc()
    const nowMs = this.#now()
    if (error instanceof LateAnswerError) this.#unheard = { fromMs: nowMs - error.waitedMs, toMs: nowMs }
    // Once, however long the database is away.
    if (!this.#failing) log.warn({ err: error }, 'the evaluator begins anew from the database')
    const sinceMs = this.#failing?.sinceMs ?? nowMs
    this.#failing = error instanceof LeaseLostError ? undefined : { sinceMs, error }
  }

  /** Until something fails, or the end. */
  async #evaluate(): Promise<void> {
    const { pool, log, settings } = this.#options
    const { signal } = this.#end
    const lease = { name: EVALUATOR, holder: this.#holder, forMs: settings.EVALUATOR_LEASE_MS }
    const onWait = () => {
      this.#failing = undefined
      log.info('another process evaluates: this one takes over when it ends')
    }
    const held = await waitForLease(pool, lease, { signal, onWait })
    if (!held) return
    try {
      this.#brokers = await lookAtBrokers(pool)
      const session = await held.during(() => this.#open(held))
      this.#session = session
      let isMore = true
      while (!signal.aborted) {
        if (!isMore) await this.handOver.news(settings.EVALUATOR_POLL_MS, signal)
        // What is known of silence is read again.
        if ((await this.#isClockSet()) || (await this.#isBrokerOther())) return
        isMore = await held.during(() => session.turn())
        this.#setActive(true)
        this.#failing = undefined
      }
      await within(STOP_STEP_MS, session.end())
    } finally {
      if (signal.aborted) await within(STOP_STEP_MS, giveLeaseBack(pool, lease))
    }
  }

  async #open(lease: HeldLease): Promise<Session> {
    const { pool, log, settings, metrics, onTold, utilization } = this.#options
    await onConnection(pool, async (client) => {
      for (const downtime of this.#downtimes(await cursorMovedAt(client, EVALUATOR))) {
        await writeDowntime(client, downtime)
      }
    })
    this.#unheard = undefined
    const { cursor, restored } = await openCursor(pool, EVALUATOR)
    if (restored) log.warn('the database was restored: what was read in its last hour is evaluated again')
    const reads = this.#readsFor(lease)
    this.#reads = reads
    return Session.open(
      {
        pool,
        reads,
        lease,
        handOver: this.handOver,
        metrics,
        settings,
        limits: pagingLimits(settings),
        statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
        now: this.#now,
        utilization: utilization ?? (() => 0),
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

  #readsFor({ lost }: HeldLease): Reads {
    const { pool, log, settings } = this.#options
    return new Reads({
      pool,
      statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
      standStillMs: STOOD_STILL_MS,
      turnMs: settings.EVALUATOR_LATE_MS,
      now: this.#now,
      signal: this.#end.signal,
      lost,
      onWait: (error) => {
        this.#setActive(false)
        log.warn({ err: error }, 'nothing is evaluated until a read that takes too long is answered')
      },
    })
  }

  /** The time since somebody last evaluated, where that is long ago, and that of a long wait, which we know by our own clock. */
  #downtimes(movedAtMs: number | undefined): Downtime[] {
    const nowMs = this.#now()
    const isLongAgo = movedAtMs !== undefined && nowMs - movedAtMs >= STOOD_STILL_MS
    const times = [isLongAgo ? { fromMs: movedAtMs, toMs: nowMs } : undefined, this.#unheard]
    const part = this.#failing === undefined ? 'evaluator' : 'database'
    return times.flatMap((time) => (time ? [{ part, ...time, detail: 'nothing was evaluated' }] : []))
  }

  /** Whether the last broker has gone, or one is back: then that is, or was, downtime. */
  async #isBrokerOther(): Promise<boolean> {
    if (performance.now() < this.#nextBrokerLookMs) return false
    this.#nextBrokerLookMs = performance.now() + BROKER_LOOK_MS
    const before = this.#brokers
    this.#brokers = await lookAtBrokers(this.#options.pool)
    return this.#brokers !== before
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
