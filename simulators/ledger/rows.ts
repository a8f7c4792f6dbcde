import type { Fault } from '../../ingest/payloads.ts'
import type { SentDoor, SentReading } from '../hub/message.ts'

const CHUNK_BITS = 16
const CHUNK_ROWS = 2 ** CHUNK_BITS
const CHUNK_MASK = CHUNK_ROWS - 1

/** What became of a row: 0 is what a new chunk is filled with. */
const ROW_STATES = ['pending', 'acknowledged', 'dropped'] as const
export type RowState = (typeof ROW_STATES)[number]

/** 0 = none. The words are those of the protocol. */
const FAULTS: readonly (Fault | undefined)[] = [
  undefined,
  'no_probe',
  'probe_short',
  'out_of_range',
  'stuck',
  'other',
]
const DOOR_STATES = ['open', 'closed'] as const
/** Outside what a reading may have, and inside a smallint. */
const ABSENT = -32_768

type TypedArray = Float32Array | Float64Array | Int32Array | Int16Array | Uint8Array

/** A growing column of numbers: chunks of `CHUNK_ROWS` rows, none of which is ever copied. */
class Column<Chunk extends TypedArray> {
  readonly #chunks: Chunk[] = []
  readonly #newChunk: () => Chunk

  constructor(newChunk: () => Chunk) {
    this.#newChunk = newChunk
  }

  get bytes(): number {
    return this.#chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0)
  }

  set(row: number, value: number): void {
    const index = row >>> CHUNK_BITS
    const chunk = this.#chunks[index] ?? this.#newChunk()
    this.#chunks[index] = chunk
    chunk[row & CHUNK_MASK] = value
  }

  get(row: number): number {
    return this.#chunks[row >>> CHUNK_BITS]?.[row & CHUNK_MASK] ?? Number.NaN
  }
}

const float32 = () => new Column(() => new Float32Array(CHUNK_ROWS))
const float64 = () => new Column(() => new Float64Array(CHUNK_ROWS))
const int32 = () => new Column(() => new Int32Array(CHUNK_ROWS))
const int16 = () => new Column(() => new Int16Array(CHUNK_ROWS))
const uint8 = () => new Column(() => new Uint8Array(CHUNK_ROWS))

/** Which rows there are and what became of each. */
class RowKeys {
  length = 0
  readonly device = int32()
  readonly at = float64()
  readonly state = uint8()

  append(device: number, at: number): number {
    const row = this.length
    this.length += 1
    this.device.set(row, device)
    this.at.set(row, at)
    this.state.set(row, 0)
    return row
  }

  stateOf(row: number): RowState {
    return ROW_STATES[this.state.get(row)] ?? 'pending'
  }

  setStates(first: number, count: number, state: RowState): void {
    const code = ROW_STATES.indexOf(state)
    for (let row = first; row < first + count; row++) this.state.set(row, code)
  }

  get bytes(): number {
    return this.device.bytes + this.at.bytes + this.state.bytes
  }
}

/** What FrostGuard must have stored of a reading, as docs/decisions/0004 rounds it; null = absent. */
export type StoredValues = Record<'temperature' | 'humidity' | 'snr' | 'rssi' | 'battery', number | null> & {
  fault: string | null
}

/** Readings, packed: numbers as PostgreSQL keeps them, so that they compare equal to what is stored. */
export class ReadingRows {
  readonly keys = new RowKeys()
  readonly #temperature = float32()
  readonly #humidity = float32()
  readonly #snr = float32()
  readonly #rssi = int16()
  readonly #battery = int16()
  readonly #fault = uint8()

  append(device: number, reading: SentReading): void {
    const row = this.keys.append(device, reading.at)
    this.#temperature.set(row, real(reading.temperature))
    this.#humidity.set(row, real(reading.humidity))
    this.#snr.set(row, real(reading.snr))
    this.#rssi.set(row, whole(reading.rssi))
    this.#battery.set(row, whole(reading.battery))
    this.#fault.set(row, FAULTS.indexOf(reading.fault))
  }

  values(row: number): StoredValues {
    return {
      temperature: presentReal(this.#temperature.get(row)),
      humidity: presentReal(this.#humidity.get(row)),
      snr: presentReal(this.#snr.get(row)),
      rssi: presentWhole(this.#rssi.get(row)),
      battery: presentWhole(this.#battery.get(row)),
      fault: FAULTS[this.#fault.get(row)] ?? null,
    }
  }

  get bytes(): number {
    const columns = [
      this.#temperature,
      this.#humidity,
      this.#snr,
      this.#rssi,
      this.#battery,
      this.#fault,
      this.keys,
    ]
    return columns.reduce((bytes, column) => bytes + column.bytes, 0)
  }
}

export class DoorRows {
  readonly keys = new RowKeys()
  readonly #doorState = uint8()

  append(device: number, event: SentDoor): void {
    const row = this.keys.append(device, event.at)
    this.#doorState.set(row, DOOR_STATES.indexOf(event.state))
  }

  values(row: number): { state: string | null } {
    return { state: DOOR_STATES[this.#doorState.get(row)] ?? null }
  }

  get bytes(): number {
    return this.keys.bytes + this.#doorState.bytes
  }
}

const real = (value: number | undefined) => value ?? Number.NaN
/** Halves up, as the protocol says. */
const whole = (value: number | undefined) => (value === undefined ? ABSENT : Math.round(value))
/** Adding 0 makes a 0 of -0, as ingest does. */
const presentReal = (value: number) => (Number.isNaN(value) ? null : value + 0)
const presentWhole = (value: number) => (value === ABSENT ? null : value)

export type { RowKeys }
