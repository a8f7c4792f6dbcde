import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import type { HubFacts } from './hub-outages.ts'
import type { UnitFacts } from './overdue-looks.ts'
import type { UnitContext } from './unit-context.ts'

/** What a turn has found, and not written yet. */
export class Found {
  /** Units at which something was heard or is due. */
  readonly touched = new Set<UnitContext>()
  ranges: EpisodeRange[] = []
  hubs: HubFacts[] = []
  unitFacts: UnitFacts[] = []

  /** All of it is written. */
  clear(): void {
    this.touched.clear()
    this.ranges = []
    this.hubs = []
    this.unitFacts = []
  }

  /** Another context has taken over what those had still to do that are not among these units any more. */
  forgetReplaced(units: ReadonlyMap<number, UnitContext>): void {
    for (const unit of this.touched) if (units.get(unit.config.unitId) !== unit) this.touched.delete(unit)
  }

  /** A unit was set aside: what of it is not written is judged again when it is back. Returns what of it was judged anew. */
  forget(unitId: number): EpisodeRange[] {
    const ranges = this.ranges.filter((range) => range.unitId === unitId)
    for (const unit of this.touched) if (unit.config.unitId === unitId) this.touched.delete(unit)
    this.ranges = this.ranges.filter((range) => range.unitId !== unitId)
    this.unitFacts = this.unitFacts.filter(({ unit }) => unit.config.unitId !== unitId)
    return ranges
  }
}
