import type { Draft, SentDoor, SentReading } from './message.ts'

/**
 * Gathers readings into messages of at most `readingsMax`; the oldest waits for `batchMs` at most. Door events do not
 * wait: an open door is urgent. There are at most `doorsMax` in a message.
 */
export class Batcher {
  readonly #readingsMax: number
  readonly #doorsMax: number
  readonly #batchMs: number
  #readings: SentReading[] = []
  #doors: SentDoor[] = []
  /** When the oldest reading came. */
  #sinceMs = 0

  constructor(options: { readingsMax: number; doorsMax?: number; batchMs: number }) {
    this.#readingsMax = options.readingsMax
    this.#doorsMax = options.doorsMax ?? Number.POSITIVE_INFINITY
    this.#batchMs = options.batchMs
  }

  add(item: SentReading | SentDoor, nowMs: number): void {
    if ('state' in item) {
      this.#doors.push(item)
      return
    }
    if (this.#readings.length === 0) this.#sinceMs = nowMs
    this.#readings.push(item)
  }

  /** The messages that are due, oldest first. */
  take(nowMs: number): Draft[] {
    const isLate = nowMs - this.#sinceMs >= this.#batchMs
    return this.#drafts(isLate ? 1 : this.#readingsMax)
  }

  /** Everything, due or not. */
  takeAll(): Draft[] {
    return this.#drafts(1)
  }

  /** Readings go in full messages, and in one that is not full if there are at least `readingsMin` for it. */
  #drafts(readingsMin: number): Draft[] {
    const drafts: Draft[] = []
    while (this.#doors.length > 0) {
      drafts.push({ channel: 'doors', items: this.#doors.splice(0, this.#doorsMax) })
    }
    while (this.#readings.length >= readingsMin) {
      drafts.push({ channel: 'readings', items: this.#readings.splice(0, this.#readingsMax) })
    }
    return drafts
  }
}
