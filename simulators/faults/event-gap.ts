import type { Random } from '../random.ts'

const HOUR_MS = 3_600_000

/** The time to the next event of a rate, in milliseconds: exponential; endless at rate 0. */
export function eventGapMs(random: Random, perHour: number): number {
  return perHour > 0 ? random.exponential(HOUR_MS / perHour) : Number.POSITIVE_INFINITY
}
