import type { Message } from '../hub/message.ts'
import { Random } from '../random.ts'
import type { FaultRates, PublisherName } from '../types.ts'
import type { FaultCounts } from './fault-counts.ts'

const LATE_MIN_MS = 30_000
const LATE_MAX_MS = 300_000

/**
 * What goes wrong between a message's number and its sending: late, out_of_order (two messages change places) and
 * duplicate. A message that is held here is not in the hub's buffer yet; at most `heldMax` are.
 */
export class DeliveryFaults {
  readonly #rates: FaultRates
  readonly #counts: FaultCounts
  readonly #heldMax: number
  readonly #lateRandom: Random
  readonly #swapRandom: Random
  readonly #duplicateRandom: Random
  #late: { message: Message; untilMs: number }[] = []
  #swapped: Message | undefined

  constructor(options: {
    seed: number
    publisher: PublisherName
    rates: FaultRates
    counts: FaultCounts
    heldMax: number
  }) {
    const { seed, publisher } = options
    this.#rates = options.rates
    this.#counts = options.counts
    this.#heldMax = options.heldMax
    this.#lateRandom = new Random(seed, 'late', publisher)
    this.#swapRandom = new Random(seed, 'swapped', publisher)
    this.#duplicateRandom = new Random(seed, 'duplicate', publisher)
  }

  get held(): number {
    return this.#late.length + (this.#swapped ? 1 : 0)
  }

  /** Takes the next message in order; returns what is to be sent now. */
  pass(message: Message, nowMs: number): Message[] {
    if (this.#late.length < this.#heldMax && this.#lateRandom.chance(this.#rates.late)) {
      this.#counts.late += 1
      this.#late.push({ message, untilMs: nowMs + this.#lateRandom.uniform(LATE_MIN_MS, LATE_MAX_MS) })
      return []
    }
    if (this.#swapped) {
      const before = this.#swapped
      this.#swapped = undefined
      return [message, before]
    }
    if (!this.#swapRandom.chance(this.#rates.out_of_order / 2)) return [message]
    this.#counts.out_of_order += 1
    this.#swapped = message
    return []
  }

  /** The late messages whose time has come. */
  due(nowMs: number): Message[] {
    const due = this.#late.filter(({ untilMs }) => nowMs >= untilMs)
    if (due.length > 0) this.#late = this.#late.filter(({ untilMs }) => nowMs < untilMs)
    return due.map(({ message }) => message)
  }

  /** Everything that is held, due or not. */
  releaseAll(): Message[] {
    const late = this.#late.splice(0).map(({ message }) => message)
    const swapped = this.#swapped ? [this.#swapped] : []
    this.#swapped = undefined
    return [...swapped, ...late]
  }

  /** Whether a message that was just acknowledged is sent once more. */
  repeats(message: Message): boolean {
    if (message.isRepeat || !this.#duplicateRandom.chance(this.#rates.duplicate)) return false
    this.#counts.duplicate += 1
    return true
  }
}
