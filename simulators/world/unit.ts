import { Random } from '../random.ts'
import type { PlannedUnit } from '../types.ts'
import { Timeline } from './intervals.ts'
import {
  defrostSchedule,
  doorSchedule,
  loadSchedule,
  type ScheduleOptions,
  unitFaultSchedule,
} from './schedules.ts'
import { type Conditions, drawState, STEP_SECONDS, step, type ThermalState } from './thermal.ts'
import { hourOfDay, type TimeFrame } from './time-frame.ts'
import { drawUnit, type UnitParameters } from './unit-parameters.ts'

const WARMEST_HOUR = 15

/** A refrigeration unit: its physics, stepped as far as somebody has asked for. */
export class Unit {
  readonly parameters: UnitParameters
  readonly #state: ThermalState
  readonly #conditions: Conditions
  readonly #frame: TimeFrame
  readonly #door: Timeline
  readonly #leftOpen: Timeline
  readonly #load: Timeline
  readonly #defrost: Timeline
  readonly #failure: Timeline
  #steps = 0

  constructor(planned: PlannedUnit, options: Omit<ScheduleOptions, 'of'>) {
    const random = new Random(options.seed, 'unit', planned.id)
    const schedule = { ...options, of: planned.id }
    this.parameters = drawUnit(planned, random)
    this.#state = drawState(this.parameters, random)
    this.#frame = options.frame
    this.#door = new Timeline(doorSchedule(this.parameters, schedule))
    this.#leftOpen = new Timeline(unitFaultSchedule('door_left_open', schedule))
    this.#load = new Timeline(loadSchedule(this.parameters, schedule))
    this.#defrost = new Timeline(defrostSchedule(this.parameters, schedule))
    this.#failure = new Timeline(unitFaultSchedule('compressor_failure', schedule))
    this.#conditions = {
      ambient: this.parameters.ambientMean,
      doorOpen: false,
      doorLeftOpen: false,
      loading: 0,
      defrosting: false,
      compressorFailed: false,
    }
  }

  /** As of the last step. */
  get state(): Readonly<ThermalState> {
    return this.#state
  }

  /** What acted during the last step. */
  get conditions(): Readonly<Conditions> {
    return this.#conditions
  }

  /** Runs every whole step up to this second of the physics; earlier seconds change nothing. */
  advanceTo(second: number): void {
    const steps = Math.floor(second / STEP_SECONDS)
    for (; this.#steps < steps; this.#steps++) {
      this.#setConditions(this.#steps * STEP_SECONDS)
      step(this.#state, this.parameters, this.#conditions)
    }
  }

  #setConditions(second: number): void {
    const { ambientMean, ambientSwing } = this.parameters
    const conditions = this.#conditions
    const angle = ((hourOfDay(this.#frame, second) - WARMEST_HOUR) * Math.PI) / 12
    conditions.ambient = ambientMean + ambientSwing * Math.cos(angle)
    conditions.doorOpen = this.#door.isInAt(second)
    conditions.doorLeftOpen = this.#leftOpen.isInAt(second)
    conditions.defrosting = this.#defrost.isInAt(second)
    conditions.compressorFailed = this.#failure.isInAt(second)
    conditions.loading = this.#loadingAt(second)
  }

  #loadingAt(second: number): number {
    if (!this.#load.isInAt(second)) return 0
    const { from, to } = this.#load.interval
    return this.parameters.loadRise / (to - from)
  }
}
