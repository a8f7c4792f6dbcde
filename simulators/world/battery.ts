import type { Random } from '../random.ts'

const YEAR_SECONDS = 365 * 86_400
/** A battery lasts for years. */
const LIFE_YEARS = { min: 2, max: 6 } as const
/** At this level somebody puts in a new one. */
const REPLACED_PERCENT = 3
const FULL_PERCENT = 100
/** The share of batteries that are nearly empty at the start. */
const LOW_SHARE = 0.04

/** A sensor's battery: drains slowly and evenly, and is replaced before it is empty. */
export class Battery {
  readonly #startPercent: number
  readonly #percentPerSecond: number

  constructor(random: Random) {
    this.#startPercent = random.chance(LOW_SHARE) ? random.uniform(6, 22) : random.uniform(35, FULL_PERCENT)
    this.#percentPerSecond = FULL_PERCENT / (random.uniform(LIFE_YEARS.min, LIFE_YEARS.max) * YEAR_SECONDS)
  }

  /** Whole percent at a second of the physics. */
  percentAt(second: number): number {
    const usable = FULL_PERCENT - REPLACED_PERCENT
    const drained = (this.#percentPerSecond * second) % usable
    const level = this.#startPercent - drained
    return Math.round(level <= REPLACED_PERCENT ? level + usable : level)
  }
}
