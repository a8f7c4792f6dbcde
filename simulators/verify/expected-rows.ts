import type { RowKeys } from '../ledger/rows.ts'

/** Finds the rows of a ledger by device and time: an index of 4 bytes a row, made once the run is over. */
export class ExpectedRows {
  readonly #keys: RowKeys
  /** Row numbers by device, each device's by time. */
  readonly #rows: Uint32Array
  /** Where each device begins in `#rows`; one more than there are devices. */
  readonly #starts: Uint32Array

  /** Throws when two rows have the same device and time: then what must be stored would not be certain. */
  constructor(keys: RowKeys, devices: number) {
    this.#keys = keys
    this.#starts = startsOf(keys, devices)
    this.#rows = rowsByDevice(keys, this.#starts)
    for (let device = 0; device < devices; device++) this.#sortDevice(device)
  }

  /** The row's number, or undefined. `device` is its index in the ledger's subject. */
  find(device: number, at: number): number | undefined {
    let low = this.#starts[device] ?? 0
    let high = this.#starts[device + 1] ?? 0
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#atOf(middle) < at) low = middle + 1
      else high = middle
    }
    const isFound = low < (this.#starts[device + 1] ?? 0) && this.#atOf(low) === at
    return isFound ? this.#rows[low] : undefined
  }

  #atOf(position: number): number {
    return this.#keys.at.get(this.#rows[position] ?? 0)
  }

  #sortDevice(device: number): void {
    const rows = this.#rows.subarray(this.#starts[device], this.#starts[device + 1])
    rows.sort((one, other) => this.#keys.at.get(one) - this.#keys.at.get(other))
    for (
      let position = (this.#starts[device] ?? 0) + 1;
      position < (this.#starts[device + 1] ?? 0);
      position++
    ) {
      if (this.#atOf(position) !== this.#atOf(position - 1)) continue
      throw new Error(
        `The ledger has two items of device number ${device} at ${this.#atOf(position)}: the simulators must not reuse a time.`,
      )
    }
  }
}

function startsOf(keys: RowKeys, devices: number): Uint32Array {
  const starts = new Uint32Array(devices + 1)
  for (let row = 0; row < keys.length; row++) {
    const next = keys.device.get(row) + 1
    starts[next] = (starts[next] ?? 0) + 1
  }
  for (let device = 1; device <= devices; device++) {
    starts[device] = (starts[device] ?? 0) + (starts[device - 1] ?? 0)
  }
  return starts
}

function rowsByDevice(keys: RowKeys, starts: Uint32Array): Uint32Array {
  const ends = starts.slice()
  const rows = new Uint32Array(keys.length)
  for (let row = 0; row < keys.length; row++) {
    const device = keys.device.get(row)
    const position = ends[device] ?? 0
    rows[position] = row
    ends[device] = position + 1
  }
  return rows
}
