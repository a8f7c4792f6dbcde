import type { LedgerCursor } from '../db/evaluation/cursor.ts'

/** States, and statuses of units, that a turn stores beside its alerts: all of a fleet at once would hold those up. */
const SAVED_AT_ONCE = 100
/** After so long the rest goes at once: where turns are long, the cursor would stand. */
const ROUND_MS_MAX = 10_000

/** How far the ledger is read. */
export interface LedgerPlace {
  cursor: LedgerCursor
  newestId: bigint
}

/** What one turn is to store. */
export interface SavePart {
  /** Keys of the devices. */
  devices: ReadonlySet<string>
  unitIds: ReadonlySet<number>
  /** With the last part: all up to here is stored then. */
  place: LedgerPlace | undefined
}

/**
 * A save of all that is only in memory when it begins, a part in each turn. The cursor moves with the last one, to where it was
 * then; what comes meanwhile is of the next save, but for what `add` says.
 */
export class SaveRound {
  readonly #place: LedgerPlace
  readonly #devices: string[]
  readonly #unitIds: number[]
  readonly #added = new Set<string>()
  readonly #endMs: number

  /** `beginMs`: by the clock of `next`. */
  constructor(
    { cursor, newestId }: LedgerPlace,
    unsaved: { devices: Iterable<string>; unitIds: Iterable<number> },
    beginMs: number,
  ) {
    this.#place = { cursor, newestId }
    this.#devices = [...unsaved.devices]
    this.#unitIds = [...unsaved.unitIds]
    this.#endMs = beginMs + ROUND_MS_MAX
  }

  /** A device that nothing but its state remembers any more; once, or one that is unsaved in each turn would hold up the end. */
  add(device: string): void {
    if (this.#added.has(device)) return
    this.#added.add(device)
    this.#devices.push(device)
  }

  next(nowMs: number): SavePart {
    const atOnce = nowMs >= this.#endMs ? Infinity : SAVED_AT_ONCE
    const devices = new Set(this.#devices.splice(0, atOnce))
    const unitIds = new Set(this.#unitIds.splice(0, atOnce))
    const isLast = this.#devices.length + this.#unitIds.length === 0
    return { devices, unitIds, place: isLast ? this.#place : undefined }
  }
}
