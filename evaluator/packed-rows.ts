import { toCenti } from '../db/evaluation/centi.ts'
import type { CommittedBatch } from '../ingest/committed.ts'
import type { DoorInput, ReadingInput } from './core/types.ts'

/** In place of a value that a reading does not have. */
const NONE = -(2 ** 31)
const INTS = 5
const TIMES = 3

/** Of which message a row is, and when that has arrived. */
export interface Stamp {
  /** Tells it from other messages. */
  message: unknown
  /** Milliseconds of whichever clock all of them go by. */
  arrivedAtMs: number
}

type Row = CommittedBatch['readings' | 'doors'][number]

/** Tells messages apart by numbers: they themselves are not kept for it. */
export class MessageNumbers {
  readonly #known: Map<unknown, number>
  #next: number

  /** `first` is above all that were given out before. */
  constructor(first: number) {
    this.#known = new Map()
    this.#next = first
  }

  get next(): number {
    return this.#next
  }

  /** Rows without a message are all of one. */
  of({ message }: Row): number {
    const known = this.#known.get(message)
    if (known !== undefined) return known
    this.#known.set(message, this.#next)
    this.#next += 1
    return this.#next - 1
  }
}

function arrivedAtMs({ message, receivedAtMs }: Row): number {
  return message?.arrival.arrivedAtMs ?? receivedAtMs
}

/** A door event that waits to be judged. */
export interface HandedDoor extends Stamp {
  unitId: number
  door: DoorInput
}

/** Door events are few. */
export function handedDoors(rows: CommittedBatch['doors'], messages: MessageNumbers): HandedDoor[] {
  return rows.flatMap((row) => {
    const unitId = unitIdOf(row)
    if (unitId === null) return []
    const { deviceId, occurredAtMs: recordedAtMs, receivedAtMs } = row
    const atMs = Math.min(recordedAtMs, receivedAtMs)
    const door = {
      kind: 'door' as const,
      deviceId,
      atMs,
      recordedAtMs,
      receivedAtMs,
      isOpen: row.state === 'open',
    }
    return [{ unitId, door, message: messages.of(row), arrivedAtMs: arrivedAtMs(row) }]
  })
}

/** Null: it is not judged. What was simulated is not, nor what was measured in no unit. */
function unitIdOf({ unitId, source }: Row): number | null {
  return source === 'simulated' ? null : unitId
}

/** Readings as numbers, which another thread can take over without a copy. */
export interface PackedRows {
  ints: Int32Array<ArrayBuffer>
  times: Float64Array<ArrayBuffer>
  /** By the place of the reading. */
  faults: Map<number, string>
}

export function packedRows(rows: CommittedBatch['readings'], messages: MessageNumbers): PackedRows {
  const packed: PackedRows = {
    ints: new Int32Array(rows.length * INTS),
    times: new Float64Array(rows.length * TIMES),
    faults: new Map(),
  }
  let previous: Row | undefined
  let number = 0
  for (let index = 0; index < rows.length; index += 1) {
    const row = rows[index]
    if (!row) continue
    if (previous === undefined || row.message !== previous.message) number = messages.of(row)
    previous = row
    pack(packed, row, index, number)
  }
  return packed
}

function pack(
  { ints, times, faults }: PackedRows,
  row: CommittedBatch['readings'][number],
  index: number,
  message: number,
): void {
  const int = index * INTS
  ints[int] = row.deviceId
  ints[int + 1] = unitIdOf(row) ?? NONE
  ints[int + 2] = row.temperature === null || row.fault !== null ? NONE : toCenti(row.temperature)
  ints[int + 3] = row.battery ?? NONE
  ints[int + 4] = message
  const time = index * TIMES
  times[time] = row.recordedAtMs
  times[time + 1] = row.receivedAtMs
  times[time + 2] = arrivedAtMs(row)
  if (row.fault !== null) faults.set(index, row.fault)
}

/**
 * Readings that wait to be judged, in 44 bytes each beside the heap: as objects they would outlive the collection of young
 * garbage, and have to be collected with the old.
 */
export class PackedReadings {
  readonly length: number
  readonly #ints: Int32Array
  readonly #times: Float64Array
  readonly #faults: ReadonlyMap<number, string>

  constructor({ ints, times, faults }: PackedRows) {
    this.length = ints.length / INTS
    this.#ints = ints
    this.#times = times
    this.#faults = faults
  }

  /** Where a slice that begins at `from` ends: after about so many rows, and with the last row of a message. */
  sliceEnd(from: number, rows: number): number {
    let to = Math.min(from + rows, this.length)
    while (to < this.length && this.messageAt(to) === this.messageAt(to - 1)) to += 1
    return to
  }

  /** Of the reading at `index`; null: it is not judged. */
  unitIdAt(index: number): number | null {
    return this.#intAt(index * INTS + 1)
  }

  messageAt(index: number): number {
    return this.#ints[index * INTS + 4] ?? 0
  }

  arrivedAtMsAt(index: number): number {
    return this.#times[index * TIMES + 2] ?? 0
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
