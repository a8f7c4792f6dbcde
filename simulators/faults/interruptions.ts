import { Random } from '../random.ts'
import type { FaultRates, PublisherName } from '../types.ts'
import { eventGapMs } from './event-gap.ts'
import type { FaultCounts } from './fault-counts.ts'

const FLAPPING_MS = 60_000
const CUTS_MIN = 3
const CUTS_MAX = 8
const DOWN_MIN_MS = 2_000
const DOWN_MAX_MS = 20_000

/**
 * When it happens: with nothing just sent, right after a publish before its bytes have left, or when they have left and
 * the PUBACK will be heard by nobody.
 */
const MOMENTS = ['idle', 'publish lost', 'PUBACK lost'] as const
type Moment = (typeof MOMENTS)[number]

/** What happens to a publisher: its connection is cut hard, or it restarts, with or without what it had kept. */
export type Interruption = { moment: Moment } & (
  | { kind: 'cut' }
  | { kind: 'reboot'; downMs: number; keepsBuffer: boolean }
)

/** When a publisher reboots, and when its connection flaps: several hard cuts within a minute. */
export class Interruptions {
  readonly #rebootRandom: Random
  readonly #flappingRandom: Random
  readonly #rates: FaultRates
  readonly #counts: FaultCounts
  #nextRebootMs: number
  #nextFlappingMs: number
  /** In order of time. */
  #cutsMs: number[] = []

  constructor(options: {
    seed: number
    publisher: PublisherName
    rates: FaultRates
    counts: FaultCounts
    startMs: number
  }) {
    const { seed, publisher, startMs } = options
    this.#rates = options.rates
    this.#counts = options.counts
    this.#rebootRandom = new Random(seed, 'reboot', publisher)
    this.#flappingRandom = new Random(seed, 'flapping', publisher)
    this.#nextRebootMs = startMs + eventGapMs(this.#rebootRandom, this.#rates.reboot)
    this.#nextFlappingMs = startMs + eventGapMs(this.#flappingRandom, this.#rates.flapping)
  }

  /** What has happened up to now; to be asked often. */
  due(nowMs: number): Interruption[] {
    return [...this.#cuts(nowMs), ...this.#reboots(nowMs)]
  }

  #cuts(nowMs: number): Interruption[] {
    while (nowMs >= this.#nextFlappingMs) this.#flap(this.#nextFlappingMs)
    const due = this.#cutsMs.filter((cutMs) => nowMs >= cutMs)
    this.#cutsMs = this.#cutsMs.slice(due.length)
    // Cuts of the same moment are one.
    return due.length > 0 ? [{ kind: 'cut', moment: this.#flappingRandom.pick(MOMENTS) }] : []
  }

  #flap(atMs: number): void {
    const random = this.#flappingRandom
    this.#counts.flapping += 1
    const cuts = Array.from({ length: random.integer(CUTS_MIN, CUTS_MAX) }, () =>
      random.uniform(0, FLAPPING_MS),
    )
    this.#cutsMs = [...this.#cutsMs, ...cuts.map((cut) => atMs + cut)].sort((a, b) => a - b)
    this.#nextFlappingMs = atMs + FLAPPING_MS + eventGapMs(random, this.#rates.flapping)
  }

  #reboots(nowMs: number): Interruption[] {
    if (!(nowMs >= this.#nextRebootMs)) return []
    const random = this.#rebootRandom
    this.#counts.reboot += 1
    const downMs = random.uniform(DOWN_MIN_MS, DOWN_MAX_MS)
    this.#nextRebootMs = nowMs + downMs + eventGapMs(random, this.#rates.reboot)
    return [{ kind: 'reboot', downMs, keepsBuffer: random.chance(0.5), moment: random.pick(MOMENTS) }]
  }
}
