import type { Random } from '../random.ts'

/** A stretch of time, in any unit: in it from `from` on, no longer in it at `to`. */
export interface Interval {
  from: number
  to: number
}

/** The next of a series of intervals, each later than the one before it; at the end `NEVER`. */
export type NextInterval = () => Interval

export const NEVER: Interval = { from: Number.POSITIVE_INFINITY, to: Number.POSITIVE_INFINITY }

export const never: NextInterval = () => NEVER

/** Breakdowns: works for exponential times of this mean, then is broken for a drawn time. A rate of 0 never breaks. */
export function breakdowns(options: {
  random: Random
  meanGap: number
  drawDuration: (random: Random) => number
}): NextInterval {
  const { random, meanGap, drawDuration } = options
  if (!Number.isFinite(meanGap)) return never
  let now = 0
  return () => {
    const from = now + random.exponential(meanGap)
    now = from + drawDuration(random)
    return { from, to: now }
  }
}

/**
 * Like `breakdowns`, at a rate that changes with the time: `activity(time)` is 0 to 1, and the gaps have the mean
 * `meanGapBusiest` where it is 1.
 */
export function visits(options: {
  random: Random
  meanGapBusiest: number
  activity: (time: number) => number
  drawDuration: (random: Random) => number
}): NextInterval {
  const { random, meanGapBusiest, activity, drawDuration } = options
  let now = 0
  return () => {
    // Thinning: candidates at the highest rate, each kept with the probability of its own time.
    do now += random.exponential(meanGapBusiest)
    while (!random.chance(activity(now)))
    const from = now
    now += drawDuration(random)
    return { from, to: now }
  }
}

/** The same length again and again, the first beginning at `offset` (which may lie before 0). */
export function periodic(options: { offset: number; period: number; length: number }): NextInterval {
  const { offset, period, length } = options
  let count = 0
  return () => {
    const from = offset + period * count++
    return { from, to: from + length }
  }
}

/** All that is in one of the two; intervals that touch or overlap become one. */
export function union(one: NextInterval, other: NextInterval): NextInterval {
  let first = one()
  let second = other()
  const take = (): Interval => {
    const taken = first.from <= second.from ? first : second
    if (taken === first) first = one()
    else second = other()
    return taken
  }
  return () => {
    const { from, to } = take()
    let end = to
    while (Math.min(first.from, second.from) <= end && end < NEVER.to) end = Math.max(end, take().to)
    return { from, to: end }
  }
}

/** The same series in another unit of time, `factor` of which are one of the old. */
export function scaled(next: NextInterval, factor: number): NextInterval {
  return () => {
    const { from, to } = next()
    return { from: from * factor, to: to * factor }
  }
}

/** Follows a series of intervals through time, which only goes forward. */
export class Timeline {
  readonly #next: NextInterval
  #interval: Interval

  constructor(next: NextInterval) {
    this.#next = next
    this.#interval = next()
  }

  /** Whether `time` is in an interval. Times must not go back. */
  isInAt(time: number): boolean {
    while (time >= this.#interval.to) this.#interval = this.#next()
    return time >= this.#interval.from
  }

  /** The interval that `isInAt` looked at last: the one it is in, or the next. */
  get interval(): Interval {
    return this.#interval
  }
}
