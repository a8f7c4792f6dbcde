import { doorRows, openDoorRows } from '../db/evaluation/door-rows.ts'
import { type DoorTimeline, doorTimeline } from './core/doors.ts'
import type { ReadingInput } from './core/types.ts'
import { DOORS_KEPT_MS, DOORS_MAX } from './held-doors.ts'
import type { Read } from './reads.ts'
import type { UnitContext } from './unit-context.ts'

/** The doors of a unit beside rows that are read: those that are held, and for earlier rows those of the database. */
export class DoorsOfRows {
  readonly #once: Read
  readonly #unit: UnitContext
  #timeline: DoorTimeline

  constructor(once: Read, unit: UnitContext) {
    this.#once = once
    this.#unit = unit
    this.#timeline = unit.timeline
  }

  /** At the time of a row of the part that was given last. */
  isOpenAt(atMs: number): boolean {
    return this.#timeline.isOpenAt(atMs)
  }

  /** Rows in order of evaluation, in parts: each is given when the doors of its time are there. */
  async *parts<Row extends ReadingInput>(rows: readonly Row[]): AsyncGenerator<readonly Row[]> {
    let rest = rows
    for (let first = rest[0]; first !== undefined; first = rest[0]) {
      const untilMs = await this.#read(first.atMs, rest.at(-1)?.atMs ?? first.atMs)
      const end = rest.findIndex(({ atMs }) => atMs >= untilMs)
      yield end < 0 ? rest : rest.slice(0, end)
      rest = end < 0 ? [] : rest.slice(end)
    }
  }

  /** Those of a time, or of its first part. Returns where that ends. */
  async #read(fromMs: number, toMs: number): Promise<number> {
    const { config, doors, timeline } = this.#unit
    if (fromMs >= doors.heldFromMs) {
      this.#timeline = timeline
      return Infinity
    }
    const { unitId } = config
    const open = await this.#once((client) =>
      openDoorRows(client, { unitId, fromMs: fromMs - DOORS_KEPT_MS, toMs: fromMs }),
    )
    const events = await this.#once((client) =>
      doorRows(client, { unitId, fromMs, toMs: toMs + 1, limit: DOORS_MAX }),
    )
    this.#timeline = doorTimeline([...open, ...events])
    if (events.length < DOORS_MAX) return Infinity
    // At least one row: of a moment with more events than are read, the others are left out.
    return Math.max(events.at(-1)?.atMs ?? Infinity, fromMs + 1)
  }
}
