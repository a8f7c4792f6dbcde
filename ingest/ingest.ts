import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry as MetricsRegistry } from 'prom-client'
import type { Accept, Arrival, Authenticate, Principal } from '../broker/types.ts'
import { createBatchIds } from '../db/batches/batch-id.ts'
import type { BatchOutcome } from '../db/batches/write-batch.ts'
import { requireCopyColumns } from '../db/copy/require-columns.ts'
import { verdictOf } from '../db/errors.ts'
import { rejectedAnswer } from './answers.ts'
import { type AuthenticatorCounters, createAuthenticator } from './authenticate.ts'
import { sealBatch } from './batch.ts'
import { type Books, countRejects, itemsReceived, itemsReleased, itemsReturned, openBooks } from './books.ts'
import { type CommitOptions, commitSealed } from './commit.ts'
import { GroupCommit } from './group-commit.ts'
import { Intake } from './intake.ts'
import type { HeldMessage } from './message.ts'
import { createIngestMetrics, type IngestMetrics } from './metrics.ts'
import { HubPresence } from './presence.ts'
import { Receipts } from './receipts.ts'
import { Registry } from './registry.ts'
import { RejectedKeeper } from './rejected-keeper.ts'

interface IngestSettings {
  INGEST_LANES: number
  INGEST_BATCH_ROWS_MAX: number
  INGEST_BATCH_BYTES_MAX: number
  DATABASE_STATEMENT_TIMEOUT_MS: number
  REGISTRY_REFRESH_MS: number
  RECEIPT_GAP_SECONDS: number
  REJECTED_RETENTION_DAYS: number
  REJECTED_PER_CLIENT_MAX: number
  SHUTDOWN_DRAIN_MS: number
}

export interface IngestOptions {
  /** For everything but batches. */
  pool: Pool
  /** For batches alone, a connection a lane, so that nothing else can starve them. */
  copyPool: Pool
  log: Logger
  settings: IngestSettings
  metrics: MetricsRegistry
  /** Publishes to our own subscribers; resolves when the broker has taken it. */
  publish: (message: { topic: string; payload: string; qos: 0 | 1; retain: boolean }) => Promise<void>
  /** Told when log-ins may have been revoked: those not `stillValid` are to be disconnected. */
  onLogInsChanged: (stillValid: (principal: Principal) => boolean) => void
}

const DRAIN_POLL_MS = 20
/** For each part of a stop that needs the database. */
const STOP_STEP_MS = 2_000

/** Waits for the work, but not longer than this. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => undefined)
  await Promise.race([work.finally(() => over.abort()), limit])
}

/**
 * From arrivals to committed rows: decodes, finds devices, gathers batches, commits them, then answers and
 * acknowledges. `accept`, `authenticate` and `presence` are what the broker is handed.
 */
export class Ingest {
  readonly accept: Accept
  readonly authenticate: Authenticate
  readonly authentication: AuthenticatorCounters
  readonly presence: HubPresence
  readonly registry: Registry
  readonly books: Books = openBooks()
  readonly #options: IngestOptions
  readonly #metrics: IngestMetrics
  readonly #intake: Intake
  readonly #commits: GroupCommit
  readonly #receipts: Receipts
  readonly #rejected: RejectedKeeper
  readonly #end = new AbortController()
  readonly #nextBatchId = createBatchIds({
    now: Date.now,
    process: Math.floor(Math.random() * 4096),
  })
  /** Batches under way, and the newest id given out: what the receipts' watermark follows from. */
  readonly #openBatches = new Set<bigint>()
  #newestBatch = 0n
  /** The commits under way; times are those of `performance.now()`. */
  readonly #underWay = new Set<{ startedAtMs: number }>()
  readonly #writer = randomUUID()

  constructor(options: IngestOptions) {
    const { pool, log, settings } = options
    this.#options = options
    this.registry = new Registry({
      pool,
      log,
      refreshMs: settings.REGISTRY_REFRESH_MS,
      onReloaded: () => options.onLogInsChanged((principal) => this.registry.stillValid(principal)),
    })
    const authenticator = createAuthenticator(this.registry)
    this.authenticate = authenticator.authenticate
    this.authentication = authenticator.counters
    this.presence = new HubPresence({ pool, log, now: Date.now })
    this.#metrics = createIngestMetrics(options.metrics, this.books)
    this.#receipts = new Receipts({
      pool,
      log,
      gapSeconds: settings.RECEIPT_GAP_SECONDS,
      now: Date.now,
      settledBatchId: () => this.#settledBatchId(),
      publish: (hubId, receipt) => {
        const hub = this.registry.hubKey(hubId)
        if (hub === undefined) return undefined
        const payload = JSON.stringify(receipt)
        return options.publish({ topic: `v1/hubs/${hub}/receipt`, payload, qos: 1, retain: true })
      },
    })
    this.#rejected = new RejectedKeeper({
      pool,
      log,
      retentionDays: settings.REJECTED_RETENTION_DAYS,
      perClientMax: settings.REJECTED_PER_CLIENT_MAX,
    })
    this.#commits = new GroupCommit({
      lanes: settings.INGEST_LANES,
      batchRowsMax: settings.INGEST_BATCH_ROWS_MAX,
      batchBytesMax: settings.INGEST_BATCH_BYTES_MAX,
      commit: (messages) => this.#commit(messages),
    })
    this.#intake = new Intake({
      registry: this.registry,
      presence: this.presence,
      onSeen: (message) => this.#seen(message),
      onReady: (message) => this.#commits.add(message),
      onGivenUp: (message, error) => this.#giveBack(message, error),
    })
    this.accept = (arrival: Arrival, done) => this.#intake.accept(arrival, done)
  }

  /** Loads devices and log-ins and the receipts; the broker may listen afterwards. */
  async start(): Promise<void> {
    await requireCopyColumns(this.#options.copyPool)
    await this.registry.start()
    await this.#receipts.start()
    this.presence.start()
    this.#rejected.start()
  }

  /**
   * Call when the broker takes no more publishes: commits what is held, for at most the drain time; what is not
   * committed by then is left unacknowledged, for its clients to send again. Ends within a few seconds more, also
   * while the database hangs.
   */
  async stop(): Promise<void> {
    await within(this.#options.settings.SHUTDOWN_DRAIN_MS, this.#drained())
    this.#end.abort()
    await within(STOP_STEP_MS, this.registry.stop())
    await within(STOP_STEP_MS, this.#drained())
    await within(STOP_STEP_MS, Promise.all([this.#receipts.stop(), this.presence.stop()]))
    this.#rejected.stop()
  }

  async #drained(): Promise<void> {
    await this.#commits.drained()
    while (this.#intake.waiting > 0) {
      await sleep(DRAIN_POLL_MS)
      await this.#commits.drained()
    }
  }

  /** Seconds that the oldest batch under way has been waiting for its commit; 0 when there is none. */
  oldestBatchSeconds(): number {
    const oldest = Math.min(...[...this.#underWay].map(({ startedAtMs }) => startedAtMs))
    return Number.isFinite(oldest) ? (performance.now() - oldest) / 1000 : 0
  }

  #seen(message: HeldMessage): void {
    itemsReceived(this.books, message.subject, message.items)
    const { receipt, notes, arrival } = message
    if (notes.length > 0) {
      this.#metrics.fieldsIgnored.inc(notes.length)
      this.#options.log.debug({ client: arrival.principal.username, notes }, 'bad fields ignored')
    }
    if (receipt) message.receipt = this.#receipts.seen(receipt)
  }

  async #commit(messages: HeldMessage[]): Promise<void> {
    const ids: bigint[] = []
    const commit = { startedAtMs: performance.now() }
    this.#underWay.add(commit)
    try {
      const sealed = sealBatch(messages)
      const outcome = await commitSealed(sealed, this.#commitOptions(ids))
      this.#count(outcome, sealed.duplicates)
      for (const message of messages) this.#settle(message)
    } catch (error) {
      await this.#commitApart(messages, error as Error)
    } finally {
      this.#underWay.delete(commit)
      for (const id of ids) this.#openBatches.delete(id)
    }
  }

  /** What PostgreSQL refuses beside rows is found by message: its neighbours are committed, its client sends again. */
  async #commitApart(messages: HeldMessage[], error: Error): Promise<void> {
    if (messages.length > 1 && verdictOf(error) === 'data') {
      const half = Math.ceil(messages.length / 2)
      await this.#commit(messages.slice(0, half))
      await this.#commit(messages.slice(half))
      return
    }
    this.#options.log.error(
      { err: error, messages: messages.length },
      'not committed: given back to their clients',
    )
    for (const message of messages) this.#giveBack(message, error)
  }

  #commitOptions(ids: bigint[]): CommitOptions {
    const { copyPool, log, settings } = this.#options
    return {
      pool: copyPool,
      log,
      statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
      signal: this.#end.signal,
      nameBatch: () => ({ id: this.#openBatch(ids), writer: this.#writer }),
      onCommitted: (written, seconds) => this.#observe(written, seconds),
      onRetry: () => this.#metrics.batchRetries.inc(),
    }
  }

  /** The message is durable, so it is acknowledged, whatever may go wrong in telling others about it. */
  #settle(message: HeldMessage): void {
    const { arrival, receipt } = message
    countRejects(this.books, message)
    itemsReleased(this.books, message.subject, message.items)
    try {
      if (receipt) this.#receipts.durable(receipt, Date.now())
      const answer = rejectedAnswer(message)
      if (answer) this.#publish({ ...answer, retain: false })
      if (arrival.qos > 0 && !arrival.isWill) {
        this.#metrics.acknowledgeSeconds.observe((performance.now() - arrival.arrivedAtMs) / 1000)
      }
    } catch (error) {
      this.#options.log.error({ err: error, topic: arrival.topic }, 'committed, but not answered')
    }
    message.done()
  }

  #giveBack(message: HeldMessage, error: Error): void {
    itemsReturned(this.books, message.subject, message.items)
    message.done(error)
  }

  #count(outcome: BatchOutcome, dropped: { readings: number; doors: number }): void {
    const { readings, doors } = this.books
    readings.committed += outcome.readings
    readings.duplicate += outcome.readingsDuplicate + dropped.readings
    doors.committed += outcome.doors
    doors.duplicate += outcome.doorsDuplicate + dropped.doors
  }

  #observe(outcome: BatchOutcome, seconds: number): void {
    const rows = outcome.readings + outcome.readingsDuplicate + outcome.doors + outcome.doorsDuplicate
    if (rows === 0) return
    this.#metrics.copySeconds.observe(seconds)
    this.#metrics.copyRows.observe(rows)
  }

  #openBatch(ids: bigint[]): bigint {
    const id = this.#nextBatchId()
    ids.push(id)
    this.#openBatches.add(id)
    this.#newestBatch = id
    return id
  }

  #settledBatchId(): bigint {
    let oldest: bigint | undefined
    for (const id of this.#openBatches) if (oldest === undefined || id < oldest) oldest = id
    return oldest === undefined ? this.#newestBatch : oldest - 1n
  }

  #publish(message: { topic: string; payload: string; retain: boolean }): void {
    this.#options.publish({ ...message, qos: 1 }).catch((error: Error) => {
      this.#options.log.warn({ err: error, topic: message.topic }, 'not published')
    })
  }
}
