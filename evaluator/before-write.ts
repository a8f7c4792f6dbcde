import { noteWritten } from './arrivals.ts'
import type { SetAside } from './set-aside.ts'
import { updateStatus } from './status.ts'
import type { UnitContext } from './unit-context.ts'

/** What units say as they are written. */
interface Said {
  /** Those whose status is another one than before. */
  statuses: UnitContext[]
  /** An alert of which nothing has changed may page. */
  isPageDue: boolean
}

/** `heardToMs`: up to when statuses are judged, see `HeardTo`; undefined: not yet. */
export function beforeWrite(
  units: Iterable<UnitContext>,
  aside: Pick<SetAside, 'guard'>,
  { nowMs, heardToMs }: { nowMs: number; heardToMs: number | undefined },
): Said {
  const said: Said = { statuses: [], isPageDue: false }
  for (const unit of units) {
    aside.guard(unit, () => {
      if (noteWritten(unit, nowMs)) said.isPageDue = true
      if (heardToMs !== undefined && updateStatus(unit, heardToMs)) said.statuses.push(unit)
    })
  }
  return said
}
