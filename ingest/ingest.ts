import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry as MetricsRegistry } from 'prom-client'
import type { Accept, Arrival, Authenticate, Principal, Route } from '../broker/types.ts'
import { requireCopyColumns } from '../db/copy/require-columns.ts'
import { rejectedAnswer } from './answers.ts'
import { type AuthenticatorCounters, createAuthenticator } from './authenticate.ts'
import { BatchIds } from './batch-ids.ts'
import {
  type Books,
  countRejects,
  itemsFound,
  itemsReceived,
  itemsReleased,
  itemsReturned,
  itemsSpooled,
  openBooks,
} from './books.ts'
import { type CommittedRows, Committer } from './committer.ts'
import { DatabaseGate } from './gate.ts'
import { GroupCommit } from './group-commit.ts'
import { Intake } from './intake.ts'
import type { HeldMessage } from './message.ts'
import { createIngestMetrics, type IngestMetrics } from './metrics.ts'
import { HubPresence } from './presence.ts'
import { Receipts } from './receipts.ts'
import { RecentReadings } from './recent-readings.ts'
import { Registry } from './registry.ts'
import { RejectedKeeper } from './rejected-keeper.ts'
import type { Spool } from './spool/types.ts'
import { SpoolDrain } from './spool-drain.ts'

interface IngestSettings {
  INGEST_LANES: number
  INGEST_BATCH_ROWS_MAX: number
  INGEST_BATCH_BYTES_MAX: number
  INGEST_HOLD_MS: number
  INGEST_RECENT_READINGS_MAX: number
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
  /** For batches alone, a connection a lane and one for the spool's, so that nothing else can starve them. */
  copyPool: Pool
  /** Where batches go while the database is away; closed by whoever opened it. */
  spool: Spool
  /** What a publish of this client to this topic means. */
  routeOf: (principal: Principal, topic: string) => Route | undefined
  log: Logger
  settings: IngestSettings
  metrics: MetricsRegistry
  /** Publishes to our own subscribers; resolves when the broker has taken it. */
  publish: (message: { topic: string; payload: string; qos: 0 | 1; retain: boolean }) => Promise<void>
  /** Told when log-ins may have been revoked: those not `stillValid` are to be disconnected. */
  onLogInsChanged: (stillValid: (principal: Principal) => boolean) => void
}

const DRAIN_POLL_MS = 20
const PROBE_FIRST_MS = 250
const PROBE_MAX_MS = 2_000
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
  readonly #ids = new BatchIds(randomUUID())
  readonly gate = new DatabaseGate({ probeFirstMs: PROBE_FIRST_MS, probeMaxMs: PROBE_MAX_MS })
  readonly #committer: Committer
  readonly #drain: SpoolDrain

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
      settledBatchId: () => this.#ids.settledId(),
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
    this.#committer = new Committer({
      pool: options.copyPool,
      log,
      ids: this.#ids,
      gate: this.gate,
      spool: options.spool,
      metrics: this.#metrics,
      recent: new RecentReadings(settings.INGEST_RECENT_READINGS_MAX),
      statementTimeoutMs: settings.DATABASE_STATEMENT_TIMEOUT_MS,
      holdMs: settings.INGEST_HOLD_MS,
      signal: this.#end.signal,
      onCommitted: (messages, rows) => this.#committed(messages, rows),
      onSpooled: (messages) => this.#spooled(messages),
      onGivenBack: (message, error) => this.#giveBack(message, error),
    })
    this.#drain = new SpoolDrain({
      spool: options.spool,
      gate: this.gate,
      committer: this.#committer,
      log,
      books: this.books,
      holdMs: settings.INGEST_HOLD_MS,
      batchItemsMax: settings.INGEST_BATCH_ROWS_MAX,
      signal: this.#end.signal,
      routeOf: options.routeOf,
      prepare: (arrival, done) => this.#prepare(arrival, done),
    })
    this.#commits = new GroupCommit({
      lanes: settings.INGEST_LANES,
      batchRowsMax: settings.INGEST_BATCH_ROWS_MAX,
      batchBytesMax: settings.INGEST_BATCH_BYTES_MAX,
      commit: (messages) => this.#committer.commit(messages),
    })
    this.#intake = new Intake({
      registry: this.registry,
      presence: this.presence,
      onSeen: (message) => this.#seen(message),
      onReady: (message) => this.#commits.add(message),
      lookUpMs: settings.INGEST_HOLD_MS,
      onUnplaced: (message) => this.#committer.spool([message]),
      onGivenUp: (message, error) => this.#giveBack(message, error),
      signal: this.#end.signal,
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
    itemsFound(this.books, this.#options.spool.stats.items)
    this.#drain.start()
  }

  /**
   * Call when the broker takes no more publishes: commits what is held, for at most the drain time; what is not
   * committed by then is left unacknowledged, for its clients to send again. Ends within a few seconds more, also
   * while the database hangs.
   */
  async stop(): Promise<void> {
    await within(this.#options.settings.SHUTDOWN_DRAIN_MS, this.#drained())
    this.#end.abort()
    await within(STOP_STEP_MS, this.#drain.stopped())
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
    return this.#committer.oldestBatchSeconds()
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

  async #prepare(arrival: Arrival, done: (error?: Error) => void): Promise<HeldMessage> {
    const message = await this.#intake.prepare(arrival, done)
    if (message.receipt) message.receipt = this.#receipts.seen(message.receipt)
    return message
  }

  #committed(messages: readonly HeldMessage[], rows: CommittedRows): void {
    const { readings, doors } = this.books
    readings.committed += rows.readings
    readings.duplicate += rows.readingsDuplicate
    doors.committed += rows.doors
    doors.duplicate += rows.doorsDuplicate
    for (const message of messages) {
      countRejects(this.books, message)
      itemsReleased(this.books, message.subject, message.items)
      this.#tell(message, () => {
        const answer = rejectedAnswer(message)
        if (answer) this.#publish({ ...answer, retain: false })
      })
      message.done()
    }
  }

  /** It is durable, and acknowledged; what is rejected of it is answered when it is in the database. */
  #spooled(messages: readonly HeldMessage[]): void {
    for (const message of messages) {
      itemsSpooled(this.books, message.subject, message.items)
      this.#tell(message, () => {})
      message.done()
    }
  }

  /** The message is durable, so it is acknowledged, whatever may go wrong in telling others about it. */
  #tell(message: HeldMessage, answer: () => void): void {
    const { arrival, receipt } = message
    try {
      if (receipt) this.#receipts.durable(receipt, Date.now())
      answer()
      if (arrival.qos > 0 && !arrival.isWill && !message.isSpooled) {
        this.#metrics.acknowledgeSeconds.observe((performance.now() - arrival.arrivedAtMs) / 1000)
      }
    } catch (error) {
      this.#options.log.error({ err: error, topic: arrival.topic }, 'durable, but not answered')
    }
  }

  #giveBack(message: HeldMessage, error: Error): void {
    // One of the spool has no client that waits: it is kept (spool-drain.ts).
    if (!message.isSpooled) itemsReturned(this.books, message.subject, message.items)
    message.done(error)
  }

  #publish(message: { topic: string; payload: string; retain: boolean }): void {
    this.#options.publish({ ...message, qos: 1 }).catch((error: Error) => {
      this.#options.log.warn({ err: error, topic: message.topic }, 'not published')
    })
  }
}
