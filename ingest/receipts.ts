import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { loadReceipts, type ReceiptRecord, receiptMarksSince, saveReceipts } from '../db/receipts.ts'
import { type HubReceiptState, hasGaps, noteDurable, noteSeen, passOverOldGaps } from './receipt-tracker.ts'

/** At most one receipt a second goes to a hub, and well within two seconds of the commit. */
const INTERVAL_MS = 1_000

export interface ReceiptsOptions {
  pool: Pool
  log: Logger
  gapSeconds: number
  now: () => number
  /** The newest batch id such that it and all before it have been noted here. */
  settledBatchId: () => bigint
  /** Publishes the retained receipt of a hub. */
  publish: (hubId: number, receipt: Receipt) => void
}

interface Receipt {
  boot: string
  seq: number
  missing?: readonly number[]
  /** Epoch milliseconds. */
  time: number
}

/**
 * Tells each hub up to which of its messages all are durable. The marks are committed with their batch (in its
 * ledger row); the table of receipts follows once a second and is caught up from the ledger at start.
 */
export class Receipts {
  readonly #options: ReceiptsOptions
  readonly #hubs = new Map<number, HubReceiptState>()
  readonly #unpublished = new Set<number>()
  readonly #unsaved = new Set<number>()
  readonly #withGaps = new Set<number>()
  #timer: NodeJS.Timeout | undefined
  #saving: Promise<void> = Promise.resolve()

  constructor(options: ReceiptsOptions) {
    this.#options = options
  }

  /** Goes on from what the database holds, and publishes every receipt again: the broker forgets them in a crash. */
  async start(): Promise<void> {
    const { pool, now } = this.#options
    for (const record of await loadReceipts(pool)) {
      this.#hubs.set(record.hubId, record.state as HubReceiptState)
      this.#unpublished.add(record.hubId)
    }
    for (const marks of await receiptMarksSince(pool)) {
      for (const [hubId, boot, seq] of marks) this.durable(hubId, boot, seq, now())
    }
    for (const [hubId, state] of this.#hubs) if (hasGaps(state)) this.#withGaps.add(hubId)
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS)
  }

  /** Publishes and keeps what is left. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#saving
    this.#publishChanged()
    await this.#save()
  }

  /** A message has arrived; it is not durable yet. */
  seen(hubId: number, boot: string, seq: number): void {
    noteSeen(this.#stateOf(hubId), boot, seq)
  }

  durable(hubId: number, boot: string, seq: number, nowMs: number): void {
    const state = this.#stateOf(hubId)
    noteDurable(state, boot, seq, nowMs)
    if (hasGaps(state)) this.#withGaps.add(hubId)
    this.#unpublished.add(hubId)
    this.#unsaved.add(hubId)
  }

  #stateOf(hubId: number): HubReceiptState {
    let state = this.#hubs.get(hubId)
    if (!state) {
      state = []
      this.#hubs.set(hubId, state)
    }
    return state
  }

  #tick(): void {
    const { now, gapSeconds } = this.#options
    for (const hubId of this.#withGaps) {
      const state = this.#stateOf(hubId)
      if (passOverOldGaps(state, now(), gapSeconds)) {
        this.#unpublished.add(hubId)
        this.#unsaved.add(hubId)
      }
      if (!hasGaps(state)) this.#withGaps.delete(hubId)
    }
    this.#publishChanged()
    if (this.#unsaved.size > 0) this.#saving = this.#saving.then(() => this.#save())
  }

  #publishChanged(): void {
    for (const hubId of this.#unpublished) {
      const newest = this.#stateOf(hubId).at(-1)
      if (!newest || newest.seq < newest.first) continue
      const { boot, seq, missing } = newest
      this.#options.publish(hubId, {
        boot,
        seq,
        ...(missing.length > 0 ? { missing } : {}),
        time: this.#options.now(),
      })
    }
    this.#unpublished.clear()
  }

  async #save(): Promise<void> {
    const hubIds = [...this.#unsaved]
    if (hubIds.length === 0) return
    // The watermark is read before the states: what is noted in between is merely noted twice after a restart.
    const throughBatchId = this.#options.settledBatchId()
    const records = hubIds.flatMap((hubId) => this.#record(hubId) ?? [])
    this.#unsaved.clear()
    try {
      await saveReceipts(this.#options.pool, records, throughBatchId)
    } catch (error) {
      for (const hubId of hubIds) this.#unsaved.add(hubId)
      this.#options.log.warn({ err: error }, 'receipts not kept yet, trying again')
    }
  }

  #record(hubId: number): ReceiptRecord | undefined {
    const state = this.#stateOf(hubId)
    const newest = state.at(-1)
    if (!newest) return undefined
    const { boot, seq, missing } = newest
    // The state goes on changing while it is written.
    return {
      hubId,
      boot,
      seq,
      missing: [...missing],
      state: structuredClone(state),
      updatedAtMs: this.#options.now(),
    }
  }
}
