import { applyArrivals } from './arrivals.ts'
import type { HubHorizons } from './hub-horizons.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import type { UnitContext } from './unit-context.ts'
import { type Arrival, rowsOf } from './work.ts'

interface IntakeOptions extends Pick<SessionOptions, 'metrics' | 'now'> {
  units: ReadonlyMap<number, UnitContext>
  horizons: HubHorizons
  aside: SetAside
  /** Whether what comes late waits, see `Deferral`. */
  isDeferring: () => boolean
  /** Told of each unit at which something was heard. */
  onTouched: (unit: UnitContext) => void
}

/** Takes what has arrived into the states of its units, and counts it. */
export class Intake {
  readonly #options: IntakeOptions

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  /** Returns how many of the messages were taken, see `applyArrivals`. */
  take(unitId: number, arrivals: readonly Arrival[]): number {
    const { units, aside, now, isDeferring } = this.#options
    const unit = units.get(unitId)
    const found =
      unit &&
      aside.guard(unit, () => applyArrivals(unit, arrivals, { nowMs: now(), isDeferring: isDeferring() }))
    if (aside.note(unitId, arrivals)) return arrivals.length
    const { taken, unknown } = found ?? { taken: arrivals.length, unknown: 0 }
    this.#count(unit, taken < arrivals.length ? arrivals.slice(0, taken) : arrivals, unknown)
    return taken
  }

  #count(unit: UnitContext | undefined, arrivals: readonly Arrival[], unknown: number): void {
    const { metrics, horizons, onTouched } = this.#options
    let rows = 0
    for (const arrival of arrivals) {
      rows += rowsOf(arrival)
      if (!unit) continue
      horizons.heard(unit, arrival.readings)
      horizons.heard(unit, arrival.doors)
    }
    metrics.rows.inc(rows)
    if (!unit) metrics.notEvaluated.inc({ reason: 'no_unit' }, rows)
    else onTouched(unit)
    if (unknown > 0) metrics.notEvaluated.inc({ reason: 'no_device' }, unknown)
  }
}
