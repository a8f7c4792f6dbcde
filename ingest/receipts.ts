import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import {
  loadReceipts,
  type ReceiptRecord,
  receiptMarksAfter,
  receiptsWatermark,
  saveReceipts,
} from '../db/receipts.ts'
import type { CountedMessage } from './message.ts'
import type { MissingList } from './receipt-missing.ts'
import { ReceiptPublisher } from './receipt-publisher.ts'
import {
  currentOf,
  type HubReceiptState,
  hasGaps,
  noteDurable,
  noteSeen,
  openState,
  passOverOldGaps,
  receiptOf,
  restoreState,
} from './receipt-tracker.ts'

/** At most one receipt a second goes to a hub, and well within two seconds of the commit. */
const INTERVAL_MS = 1_000
/** While no receipt changes, the watermark follows the ledger once in so many intervals. */
const WATERMARK_INTERVALS = 60

export interface ReceiptsOptions {
  pool: Pool
  log: Logger
  gapSeconds: number
  now: () => number
  /** The newest batch id such that it and all before it have been noted here. */
  settledBatchId: () => bigint
  /** Whether the spool still holds something that it held when the receipts were read. */
  hasEarlierSpooled: () => boolean
  /**
   * Publishes the retained receipt of a hub. Resolves when the broker has taken it; undefined for a hub that may not
   * log in at the moment.
   */
  publish: (hubId: number, receipt: Receipt) => Promise<void> | undefined
}

export interface Receipt {
  boot: string
  seq: number
  missing?: MissingList
  /** Epoch milliseconds. */
  time: number
}

/**
 * Tells each hub up to which of its messages all are durable. The marks are committed with their batch (in its
 * ledger row); the table of receipts follows once a second and is caught up from the ledger at start. Modes:
 * - `unread`: what the database holds is not known yet, so nothing is said. What arrives meanwhile is kept in mind until
 *   it is in the spool: from there it comes again. Left for `read` when `start` has read all.
 * - `read`: every message that arrives and every one that becomes durable is noted.
 *
 * What the spool held when they were read is committed late, under ids of then: until the marks of all of it are noted,
 * the watermark stays where it was.
 *
 * A known limit: it takes this process for the only one that ingests. Several at once, as in a rolling restart, may
 * repeat a receipt, or delay one until its hub has sent again.
 */
export class Receipts {
  readonly #options: ReceiptsOptions
  readonly #publisher: ReceiptPublisher
  readonly #hubs = new Map<number, HubReceiptState>()
  readonly #unsaved = new Set<number>()
  readonly #withGaps = new Set<number>()
  #mode: 'unread' | 'read' = 'unread'
  /** Messages that have arrived while `unread` and are not durable; as many as ingest holds. */
  readonly #unnoted = new Set<CountedMessage>()
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  /** When receipts were last published, `performance.now()`. */
  #publishedAtMs = Number.NEGATIVE_INFINITY
  /** The save under way: resolves to whether it succeeded. */
  #saving: Promise<boolean> | undefined
  #intervalsUnsaved = 0
  /** The watermark waits for what was in the spool when the receipts were read. */
  #isHeld = false
  #replayedThrough = 0n
  #savedThrough = 0n

  constructor(options: ReceiptsOptions) {
    this.#options = options
    this.#publisher = new ReceiptPublisher({
      log: options.log,
      receiptOf: (hubId, boot) => receiptOf(this.#stateOf(hubId), boot),
      publish: (hubId, { missing, ...receipt }) =>
        options.publish(hubId, {
          ...receipt,
          ...(missing.length > 0 ? { missing } : {}),
          time: options.now(),
        }),
      onPublished: (hubId, boot) => this.#retainCurrent(hubId, boot),
    })
  }

  /**
   * Goes on from what the database holds, and publishes every receipt again: the broker forgets them in a crash. May be
   * called again when it has failed.
   */
  async start(): Promise<void> {
    this.#hubs.clear()
    for (const { hubId, state } of await loadReceipts(this.#options.pool)) {
      const restored = restoreState(state)
      this.#hubs.set(hubId, restored)
      if (restored.current !== null) this.#publisher.add(hubId, restored.current)
    }
    await this.#replay()
    if (this.#isStopped) return
    this.#mode = 'read'
    this.#isHeld = this.#options.hasEarlierSpooled()
    this.#noteUnnoted()
    for (const [hubId, state] of this.#hubs) if (hasGaps(state)) this.#withGaps.add(hubId)
    // Before the first hub can ask for it.
    this.#publishDue()
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS)
  }

  /** Publishes what is due when it may, and tries once to keep what is not kept yet: the ledger has it in any case. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    if (this.#mode === 'unread') return
    await Promise.all([this.#publishLast(), this.#saveLast()])
  }

  /** A message has arrived; it is not durable yet. Returns it with its boot's first counter; null: it does not count. */
  seen({ hubId, boot, seq }: CountedMessage): CountedMessage | null {
    if (this.#mode === 'unread') {
      const message = { hubId, boot, seq }
      this.#unnoted.add(message)
      return message
    }
    const first = noteSeen(this.#stateOf(hubId), { boot, seq })
    return first === undefined ? null : { hubId, boot, seq, first }
  }

  durable(message: CountedMessage, nowMs: number): void {
    if (this.#mode === 'unread') this.#unnoted.delete(message)
    else this.#noteDurable(message, nowMs)
  }

  #noteUnnoted(): void {
    for (const message of this.#unnoted) {
      const first = noteSeen(this.#stateOf(message.hubId), message)
      if (first !== undefined) message.first = first
    }
    this.#unnoted.clear()
  }

  #noteDurable(message: CountedMessage, nowMs: number): void {
    const { hubId, boot } = message
    const state = this.#stateOf(hubId)
    noteDurable(state, message, nowMs)
    if (hasGaps(state)) this.#withGaps.add(hubId)
    this.#publisher.add(hubId, boot)
    this.#unsaved.add(hubId)
  }

  /** Notes again what was committed after the receipts were last kept. */
  async #replay(): Promise<void> {
    const { pool, now } = this.#options
    this.#savedThrough = await receiptsWatermark(pool)
    this.#replayedThrough = this.#savedThrough
    for (;;) {
      const batches = await receiptMarksAfter(pool, this.#replayedThrough)
      for (const { id, marks } of batches) {
        for (const [hubId, boot, seq, first] of marks) {
          this.#noteDurable({ hubId, boot, seq, ...(typeof first === 'number' ? { first } : {}) }, now())
        }
        this.#replayedThrough = id
      }
      if (batches.length === 0) return
    }
  }

  #stateOf(hubId: number): HubReceiptState {
    const state = this.#hubs.get(hubId) ?? openState()
    this.#hubs.set(hubId, state)
    return state
  }

  #tick(): void {
    this.#passOverOldGaps()
    this.#publishDue()
    this.#intervalsUnsaved += 1
    if (this.#saving) return
    if (this.#unsaved.size > 0 || this.#intervalsUnsaved >= WATERMARK_INTERVALS) void this.#save()
  }

  #publishDue(): void {
    this.#publishedAtMs = performance.now()
    this.#publisher.publishDue()
  }

  async #publishLast(): Promise<void> {
    if (!this.#publisher.hasDue) return
    const waitMs = this.#publishedAtMs + INTERVAL_MS - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    this.#publishDue()
  }

  async #saveLast(): Promise<void> {
    const isAway = (await this.#saving) === false
    if (!isAway) await this.#save()
  }

  #passOverOldGaps(): void {
    const { now, gapSeconds } = this.#options
    for (const hubId of this.#withGaps) {
      const state = this.#stateOf(hubId)
      for (const boot of passOverOldGaps(state, now(), gapSeconds)) {
        this.#publisher.add(hubId, boot)
        this.#unsaved.add(hubId)
      }
      if (!hasGaps(state)) this.#withGaps.delete(hubId)
    }
  }

  /** The receipt of an earlier boot does not stay the retained one. */
  #retainCurrent(hubId: number, published: string): void {
    const { current } = this.#stateOf(hubId)
    if (current !== null && current !== published) this.#publisher.add(hubId, current)
  }

  #save(): Promise<boolean> {
    this.#intervalsUnsaved = 0
    this.#saving = this.#saveUnsaved().finally(() => {
      this.#saving = undefined
    })
    return this.#saving
  }

  async #saveUnsaved(): Promise<boolean> {
    let hubIds: number[] = []
    try {
      await this.#endHold()
      // The watermark is read before the states: what is noted in between is merely noted twice after a restart.
      const through = this.#throughBatchId()
      hubIds = [...this.#unsaved]
      if (hubIds.length === 0 && through <= this.#savedThrough) return true
      const records = hubIds.flatMap((hubId) => this.#record(hubId) ?? [])
      this.#unsaved.clear()
      await saveReceipts(this.#options.pool, records, through)
      this.#savedThrough = through
      return true
    } catch (error) {
      for (const hubId of hubIds) this.#unsaved.add(hubId)
      this.#options.log.warn({ err: error }, 'receipts not kept yet, trying again')
      return false
    }
  }

  #throughBatchId(): bigint {
    if (this.#isHeld) return this.#savedThrough
    const settled = this.#options.settledBatchId()
    if (settled > this.#replayedThrough) return settled
    return this.#replayedThrough
  }

  /** By now the ledger has the marks of all that was waited for, also of what an earlier process has committed itself. */
  async #endHold(): Promise<void> {
    if (!this.#isHeld || this.#options.hasEarlierSpooled()) return
    await this.#replay()
    this.#isHeld = false
  }

  #record(hubId: number): ReceiptRecord | undefined {
    const state = this.#stateOf(hubId)
    const current = currentOf(state)
    // The state goes on changing while it is written.
    return current && { hubId, ...current, state: structuredClone(state), updatedAtMs: this.#options.now() }
  }
}
