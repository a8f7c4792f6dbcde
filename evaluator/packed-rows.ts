import type { ReadingRow } from '../db/copy/readings.ts'
import { toCenti } from '../db/evaluation/centi.ts'
import type { ReadingInput } from './core/types.ts'

/** In place of a value that a reading does not have. */
const NONE = -(2 ** 31)
const INTS = 4
const TIMES = 2

/**
 * Readings that wait to be judged, in 32 bytes each beside the heap: as objects they would outlive the collection of young
 * garbage, and have to be collected with the old.
 */
export class PackedReadings {
  readonly length: number
  readonly #ints: Int32Array
  readonly #times: Float64Array
  readonly #faults = new Map<number, string>()

  constructor(rows: readonly ReadingRow[]) {
    this.length = rows.length
    this.#ints = new Int32Array(rows.length * INTS)
    this.#times = new Float64Array(rows.length * TIMES)
    for (let index = 0; index < rows.length; index += 1) {
      const row = rows[index]
      if (row) this.#pack(row, index)
    }
  }

  #pack(row: ReadingRow, index: number): void {
    const int = index * INTS
    this.#ints[int] = row.deviceId
    this.#ints[int + 1] = row.unitId ?? NONE
    this.#ints[int + 2] = row.temperature === null || row.fault !== null ? NONE : toCenti(row.temperature)
    this.#ints[int + 3] = row.battery ?? NONE
    this.#times[index * TIMES] = row.recordedAtMs
    this.#times[index * TIMES + 1] = row.receivedAtMs
    if (row.fault !== null) this.#faults.set(index, row.fault)
  }

  /** Of the reading at `index`; null: it stands in no unit. */
  unitIdAt(index: number): number | null {
    return this.#intAt(index * INTS + 1)
  }

  /** The reading at `index`, without its calibration. */
  readingAt(index: number): ReadingInput {
    const recordedAtMs = this.#times[index * TIMES] ?? 0
    const receivedAtMs = this.#times[index * TIMES + 1] ?? 0
    return {
      kind: 'reading',
      deviceId: this.#ints[index * INTS] ?? 0,
      atMs: Math.min(recordedAtMs, receivedAtMs),
      recordedAtMs,
      receivedAtMs,
      temperatureCenti: this.#intAt(index * INTS + 2),
      battery: this.#intAt(index * INTS + 3),
      fault: this.#faults.get(index) ?? null,
    }
  }

  #intAt(place: number): number | null {
    const value = this.#ints[place] ?? NONE
    return value === NONE ? null : value
  }
}
