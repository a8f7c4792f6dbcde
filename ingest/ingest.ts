import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accept, Arrival, Authenticate } from '../broker/types.ts'
import { requireCopyColumns } from '../db/copy/require-columns.ts'
import { type AuthenticatorCounters, createAuthenticator } from './authenticate.ts'
import { BacklogUnderWay } from './backlog-under-way.ts'
import { BatchIds } from './batch-ids.ts'
import { type Books, itemsFound, itemsReceived, itemsRecounted, openBooks } from './books.ts'
import { Committer } from './committer.ts'
import { Defects } from './defects.ts'
import { DatabaseGate } from './gate.ts'
import { GroupCommit } from './group-commit.ts'
import { Intake } from './intake.ts'
import { LedgerKeeper } from './ledger-keeper.ts'
import { LoraPresence } from './lora/lora-presence.ts'
import { takeNetworkEvent } from './lora/take-network-event.ts'
import { eachCount, type HeldMessage } from './message.ts'
import { createIngestMetrics, type IngestMetrics } from './metrics.ts'
import type { NetworkRoute } from './network-route.ts'
import type { IngestOptions } from './options.ts'
import { Outcomes } from './outcomes.ts'
import { HubPresence } from './presence.ts'
import type { Queue } from './queue-choice.ts'
import { Receipts } from './receipts.ts'
import { RecentFrames } from './recent-frames.ts'
import { RecentReadings } from './recent-readings.ts'
import { Registry } from './registry.ts'
import type { RegistryContents } from './registry-snapshot.ts'
import { RejectedKeeper } from './rejected-keeper.ts'
import { SnapshotKeeper } from './snapshot-keeper.ts'
import { SpoolDrain } from './spool-drain.ts'
import { within } from './within.ts'

const DRAIN_POLL_MS = 20
const PROBE_FIRST_MS = 250
const PROBE_MAX_MS = 2_000
const SNAPSHOT_GAP_MS = 5_000
/** For each part of a stop that needs the database. */
const STOP_STEP_MS = 2_000

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
  readonly #frames: RecentFrames
  readonly #intake: Intake
  readonly #commits: GroupCommit
  readonly #lora: LoraPresence
  readonly #receipts: Receipts
  readonly #rejected: RejectedKeeper
  readonly #ledger: LedgerKeeper
  readonly #snapshot: SnapshotKeeper | undefined
  readonly #end = new AbortController()
  readonly #ids = new BatchIds(randomUUID())
  readonly #backlog = new BacklogUnderWay()
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
      onChanged: () => this.#snapshot?.changed(),
    })
    this.#snapshot =
      options.snapshot &&
      new SnapshotKeeper({
        place: options.snapshot,
        log,
        contents: () => this.registry.contents(),
        gapMs: SNAPSHOT_GAP_MS,
      })
    const authenticator = createAuthenticator(this.registry, { lookUpMs: settings.LOG_IN_LOOKUP_MS })
    this.authenticate = authenticator.authenticate
    this.authentication = authenticator.counters
    this.presence = new HubPresence({ pool, log, now: Date.now })
    this.#lora = new LoraPresence({ pool, log })
    this.#frames = new RecentFrames({
      windowMs: settings.LORA_FRAME_WINDOW_SECONDS * 1_000,
      framesMax: settings.LORA_RECENT_FRAMES_MAX,
    })
    this.#metrics = createIngestMetrics(options.metrics, this.books, this.#frames)
    this.#receipts = new Receipts({
      pool,
      log,
      gapSeconds: settings.RECEIPT_GAP_SECONDS,
      now: Date.now,
      settledBatchId: () => this.#ids.settledId(),
      hasEarlierSpooled: () => this.#drain.hasEarlier,
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
    this.#ledger = new LedgerKeeper({
      pool,
      log,
      spool: options.spool,
      retentionDays: settings.LEDGER_RETENTION_DAYS,
      now: Date.now,
    })
    const outcomes = new Outcomes({
      log,
      backlog: this.#backlog,
      books: this.books,
      receipts: this.#receipts,
      rejected: this.#rejected,
      publish: options.publish,
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
      outcomes,
      onCommitted: options.onCommitted,
      backlog: this.#backlog,
    })
    this.#drain = new SpoolDrain({
      spool: options.spool,
      gate: this.gate,
      committer: this.#committer,
      log,
      books: this.books,
      transactionMs: Math.max(settings.DATABASE_STATEMENT_TIMEOUT_MS, settings.INGEST_HOLD_MS),
      batchItemsMax: settings.INGEST_BACKLOG_ROWS_MAX,
      signal: this.#end.signal,
      routeOf: options.routeOf,
      prepare: (arrival, done) => this.#prepare(arrival, done),
    })
    this.#commits = new GroupCommit({
      lanes: settings.INGEST_LANES,
      batchRowsMax: settings.INGEST_BATCH_ROWS_MAX,
      batchBytesMax: settings.INGEST_BATCH_BYTES_MAX,
      backlogRowsMax: settings.INGEST_BACKLOG_ROWS_MAX,
      now: () => performance.now(),
      commit: (messages) => this.#committer.commit(messages),
    })
    this.#intake = new Intake({
      registry: this.registry,
      presence: this.presence,
      defects: new Defects(options),
      onSeen: (message, earlier) => this.#seen(message, earlier),
      onReady: (message) => this.#commits.add(message),
      lookUpMs: settings.INGEST_HOLD_MS,
      isAway: () => this.gate.mode !== 'closed',
      backlogAgeMs: settings.INGEST_BACKLOG_AGE_SECONDS * 1_000,
      timeOfFrame: (uplink) => this.#frames.timeOf(uplink),
      onNetworkEvent: (arrival, route) => this.#takeNetworkEvent(arrival, route),
      onFrame: (deviceId, frame) => this.#lora.heard(deviceId, frame),
      onUnplaced: (message) => this.#committer.spool([message]),
      onGivenUp: (message, error) => outcomes.givenBack(message, error),
      signal: this.#end.signal,
    })
    this.accept = (arrival: Arrival, done) => this.#intake.accept(arrival, done)
    itemsFound(this.books, options.spool.stats.items)
  }

  /**
   * Begins without the database: the gate opens, and what was last known decides who may log in. The broker may listen
   * afterwards; `start` follows when the database is back.
   */
  startAway({ known, reason }: { known: RegistryContents; reason: string }): void {
    this.registry.restore(known)
    this.noteAway(reason)
  }

  /** Why `start` has to wait; the gate stays open until its drain succeeds. */
  noteAway(reason: string): void {
    this.gate.failed(performance.now(), reason)
  }

  /**
   * Loads devices and log-ins and the receipts; the broker may listen afterwards. The database must have been migrated.
   * May be called again when it has failed.
   */
  async start(): Promise<void> {
    await requireCopyColumns(this.#options.copyPool)
    await this.registry.start()
    await this.#receipts.start()
    if (this.#end.signal.aborted) return
    this.presence.start()
    this.#lora.start()
    this.#rejected.start()
    this.#ledger.start()
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
    const others = [this.#receipts, this.presence, this.#lora, this.#ledger, this.#rejected]
    await within(STOP_STEP_MS, Promise.all(others.map((part) => part.stop())))
    await within(STOP_STEP_MS, Promise.resolve(this.#snapshot?.stop()))
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

  /** A PUBACK or PUBREC is written, so long after its message has arrived. */
  acknowledged(afterMs: number): void {
    this.#metrics.acknowledgeSeconds.observe(afterMs / 1000)
  }

  /** Messages that wait for a lane. */
  waiting(queue: Queue): number {
    return this.#commits.waiting(queue)
  }

  #seen(message: HeldMessage, earlier?: HeldMessage): void {
    // Of a sender that is known by now it may have another number of items.
    if (earlier) eachCount(earlier, (subject, items) => itemsRecounted(this.books, subject, -items))
    eachCount(message, (subject, items) => itemsReceived(this.books, subject, items))
    const { receipt, notes, arrival } = message
    if (notes.length > 0 && !earlier) {
      this.#metrics.fieldsIgnored.inc(notes.length)
      this.#options.log.debug({ client: arrival.principal.username, notes }, 'bad fields ignored')
    }
    if (arrival.isBacklog) {
      this.#metrics.backlogMessages.inc()
      this.#backlog.add(message)
    }
    if (receipt) message.receipt = this.#receipts.seen(receipt)
  }

  #takeNetworkEvent(arrival: Arrival, route: NetworkRoute): void {
    const isTaken = takeNetworkEvent(arrival, route, { registry: this.registry, lora: this.#lora })
    if (!isTaken) this.#metrics.networkEventsIgnored.inc({ server: route.kind, event: route.event })
  }

  async #prepare(arrival: Arrival, done: (error?: Error) => void): Promise<HeldMessage> {
    const message = await this.#intake.prepare(arrival, done)
    if (message.receipt) message.receipt = this.#receipts.seen(message.receipt)
    return message
  }
}
