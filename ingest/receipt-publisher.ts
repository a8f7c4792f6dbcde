import type { Logger } from 'pino'
import type { BootReceipt } from './receipt-tracker.ts'

/** Receipts that are under way at once, so that they leave room for other messages in the broker's queue. */
const PUBLISHES_MAX = 2_000

export interface ReceiptPublisherOptions {
  log: Logger
  /** What can be said of a boot now; undefined: nothing. */
  receiptOf: (hubId: number, boot: string) => BootReceipt | undefined
  /** Resolves when the broker has taken the receipt; undefined for a hub that may not log in at the moment. */
  publish: (hubId: number, receipt: BootReceipt) => Promise<void> | undefined
  onPublished: (hubId: number, boot: string) => void
}

/**
 * The boots of which a receipt is due. One leaves when its receipt is published; a publish that fails, and a hub
 * that may not log in at the moment, is tried again. A hub gets one receipt a turn, its boots one after the other.
 */
export class ReceiptPublisher {
  readonly #options: ReceiptPublisherOptions
  /** Boots by hub; both wait in order. */
  readonly #due = new Map<number, Set<string>>()
  readonly #underWay = new Set<number>()
  #failures: unknown[] = []

  constructor(options: ReceiptPublisherOptions) {
    this.#options = options
  }

  add(hubId: number, boot: string): void {
    const boots = this.#due.get(hubId)
    if (boots) boots.add(boot)
    else this.#due.set(hubId, new Set([boot]))
  }

  get hasDue(): boolean {
    return this.#due.size > 0
  }

  /** One turn. What finds no room is published in the next one. */
  publishDue(): void {
    this.#reportFailures()
    let room = PUBLISHES_MAX - this.#underWay.size
    for (const [hubId, boots] of this.#due) {
      if (room <= 0) return
      if (!this.#underWay.has(hubId) && this.#publishNext(hubId, boots)) room -= 1
    }
  }

  #publishNext(hubId: number, boots: Set<string>): boolean {
    const [boot] = boots
    if (boot === undefined) return false
    const receipt = this.#options.receiptOf(hubId, boot)
    const published = receipt && this.#options.publish(hubId, receipt)
    if (receipt && !published) return false
    this.#take(hubId, boots, boot)
    if (!published) return false
    this.#underWay.add(hubId)
    published
      .then(
        () => this.#options.onPublished(hubId, boot),
        (error: unknown) => {
          this.#failures.push(error)
          this.add(hubId, boot)
        },
      )
      .finally(() => this.#underWay.delete(hubId))
    return true
  }

  /** Other boots of the hub wait behind the other hubs. */
  #take(hubId: number, boots: Set<string>, boot: string): void {
    boots.delete(boot)
    this.#due.delete(hubId)
    if (boots.size > 0) this.#due.set(hubId, boots)
  }

  /** One line a turn, however many failed. */
  #reportFailures(): void {
    const [err] = this.#failures
    if (err === undefined) return
    const receipts = this.#failures.length
    this.#failures = []
    this.#options.log.warn({ err, receipts }, 'receipts not published yet, trying again')
  }
}
