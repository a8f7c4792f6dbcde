import type { Random } from '../random.ts'
import { eventGapMs } from './event-gap.ts'

const OFFSET_MAX_MS = 2 * 3_600_000
const DRIFT_MAX_PPM = 200
const WRONG_MIN_MS = 60_000
const WRONG_MEAN_MS = 10 * 60_000
/** What a wrong clock said is remembered for so long: until no other state of the clock can say it again. */
const REMEMBERED_MS = 3 * OFFSET_MAX_MS

/** How a clock is wrong, from `sinceMs` to `untilMs` of true time. */
interface Wrong {
  sinceMs: number
  untilMs: number
  offsetMs: number
  ppm: number
}

/**
 * The clock of a hub, or of a device of its own. It has two modes: correct, and wrong (an offset of up to two hours
 * and a drift), entered at the fault's rate and left when somebody corrects the clock, which may step back. Even so no
 * device gets the same time twice: a correct clock says even milliseconds, which only grow; a wrong one odd
 * milliseconds, which are remembered.
 */
export class PublisherClock {
  readonly #random: Random
  readonly #perHour: number
  readonly #onWrong: () => void
  #nextFaultMs: number
  #wrong: Wrong | undefined
  readonly #lastEven = new Map<string, number>()
  readonly #usedOdd = new Map<string, Set<number>>()

  constructor(options: { random: Random; perHour: number; startMs: number; onWrong?: () => void }) {
    this.#random = options.random
    this.#perHour = options.perHour
    this.#onWrong = options.onWrong ?? (() => {})
    this.#nextFaultMs = options.startMs + eventGapMs(this.#random, this.#perHour)
  }

  /** What the clock shows; true times (epoch milliseconds) must not go back from call to call. */
  read(trueMs: number): number {
    this.#advance(trueMs)
    if (!this.#wrong) return Math.floor(trueMs)
    const { sinceMs, offsetMs, ppm } = this.#wrong
    return Math.floor(trueMs + offsetMs + ((trueMs - sinceMs) * ppm) / 1e6)
  }

  /** The time that the publisher gives a device's measurement: what the clock shows, or a few milliseconds later. */
  stamp(device: string, trueMs: number): number {
    const shown = this.read(trueMs)
    return this.#wrong ? this.#unusedOdd(device, shown, trueMs) : this.#nextEven(device, shown)
  }

  #advance(trueMs: number): void {
    for (;;) {
      if (this.#wrong && trueMs >= this.#wrong.untilMs) {
        this.#nextFaultMs = this.#wrong.untilMs + eventGapMs(this.#random, this.#perHour)
        this.#wrong = undefined
      } else if (!this.#wrong && trueMs >= this.#nextFaultMs) {
        this.#goWrong(this.#nextFaultMs)
      } else return
    }
  }

  #goWrong(sinceMs: number): void {
    const random = this.#random
    this.#wrong = {
      sinceMs,
      untilMs: sinceMs + WRONG_MIN_MS + random.exponential(WRONG_MEAN_MS),
      offsetMs: random.uniform(-OFFSET_MAX_MS, OFFSET_MAX_MS),
      ppm: random.uniform(-DRIFT_MAX_PPM, DRIFT_MAX_PPM),
    }
    this.#onWrong()
  }

  #nextEven(device: string, shownMs: number): number {
    const last = this.#lastEven.get(device) ?? 0
    const at = Math.max(shownMs - (shownMs % 2), last + 2)
    this.#lastEven.set(device, at)
    return at
  }

  #unusedOdd(device: string, shownMs: number, trueMs: number): number {
    const used = this.#usedOdd.get(device) ?? new Set()
    this.#usedOdd.set(device, used)
    let at = shownMs % 2 === 1 ? shownMs : shownMs + 1
    while (used.has(at)) at += 2
    forgetBefore(used, trueMs - REMEMBERED_MS)
    used.add(at)
    return at
  }
}

/** A set keeps the order of insertion, which is nearly that of the times: it is enough to look at its beginning. */
function forgetBefore(times: Set<number>, limitMs: number): void {
  for (const time of times) {
    if (time >= limitMs) return
    times.delete(time)
  }
}
