import type { Fault } from '../../ingest/payloads.ts'
import { Random } from '../random.ts'
import { Timeline } from './intervals.ts'
import { faultSchedule, type ScheduleOptions } from './schedules.ts'

/** What a dead sensor does: nothing, or it repeats its last value, or it reports a fault instead of a value. */
export type Death = { does: 'silent' } | { does: 'stuck' } | { does: 'fault'; fault: Fault }

const FAULTS: readonly Fault[] = ['no_probe', 'no_probe', 'probe_short', 'out_of_range', 'other']

/** When a sensor is dead, and how. */
export class SensorDeath {
  readonly #options: ScheduleOptions
  readonly #timeline: Timeline
  readonly #measures: boolean
  #drawn: { from: number; death: Death } | undefined

  constructor(
    options: ScheduleOptions & {
      /** A sensor that measures nothing can only fall silent. */ measures: boolean
    },
  ) {
    this.#options = options
    this.#measures = options.measures
    this.#timeline = new Timeline(faultSchedule('sensor_death', options))
  }

  /** How it is dead at this time of the clock, which must not go back; undefined if it lives. */
  at(clockMs: number): Death | undefined {
    if (!this.#timeline.isInAt(clockMs - this.#options.frame.startMs)) return undefined
    const { from } = this.#timeline.interval
    if (this.#drawn?.from !== from) this.#drawn = { from, death: this.#draw(from) }
    return this.#drawn.death
  }

  /** A stream of its own for each death: who asks, and when, changes nothing. */
  #draw(from: number): Death {
    const random = new Random(this.#options.seed, 'death', this.#options.of, String(from))
    const kind = this.#measures ? random.next() : 0
    if (kind < 0.4) return { does: 'silent' }
    return kind < 0.7 ? { does: 'stuck' } : { does: 'fault', fault: random.pick(FAULTS) }
  }
}
