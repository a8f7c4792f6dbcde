import type { StoredReading } from '../db/evaluation/inputs.ts'
import { rowsOfDevices } from '../db/evaluation/reading-rows.ts'
import type { ReadingInput } from './core/types.ts'
import type { Reads } from './reads.ts'
import { BACK_INTERVALS_FIRST, intervalAt } from './refold.ts'
import { isOfDevice, isTimeout } from './refusals.ts'
import type { DeviceContext } from './unit-context.ts'

/** Late by about the same: their rows are read together. */
const TOGETHER_MS = 3_600_000
/** Rows of a group that are held in memory at once. */
const ROWS_MAX = 100_000
/** So many are expected at most: some devices have more than others. */
const ROWS_EXPECTED_MAX = ROWS_MAX / 2

interface Span {
  fromMs: number
  toMs: number
}

/**
 * How many rows a device has, as a multiple of what its interval lets expect: what was read last tells, so that not each reading
 * begins with rows that are too many.
 */
export class RowDensity {
  readonly #factors = new WeakMap<DeviceContext, number>()

  /** Rows of which so many are expected by the interval. */
  rows(device: DeviceContext, expected: number): number {
    return expected * (this.#factors.get(device) ?? 1)
  }

  note(device: DeviceContext, expected: number, rows: number): void {
    this.#factors.set(device, Math.max(1, rows / Math.max(1, expected)))
  }

  /** It had too many to be read with others. It may have fewer the next time. */
  wasAlone(device: DeviceContext): void {
    const factor = this.#factors.get(device)
    if (factor !== undefined) this.note(device, 1, factor / 2)
  }
}

/** Rows from a time on of devices that are late together. */
export class LateRows {
  readonly #reads: Pick<Reads, 'once' | 'isTurnSpent'>
  readonly #nowMs: number
  readonly #density: RowDensity
  readonly #rows = new Map<DeviceContext, { fromMs: number; rows: readonly ReadingInput[] }>()
  /** A group has taken too long: no further one is read, as each of them might take as long. */
  #hasTimedOut = false

  get hasTimedOut(): boolean {
    return this.#hasTimedOut
  }

  /**
   * Reads what is worth it: of one device alone nothing, of too many rows a half after the other. What cannot be read is left to each
   * device by itself, so that only those stay behind that cannot be read; so is what there is no time for in this turn. `devices`: in
   * the order of their turns.
   */
  static async read(
    reads: Pick<Reads, 'once' | 'isTurnSpent'>,
    devices: readonly DeviceContext[],
    { nowMs, density }: { nowMs: number; density: RowDensity },
  ): Promise<LateRows> {
    const read = new LateRows(reads, nowMs, density)
    for (const group of together(devices, nowMs, density)) {
      if (group.length === 1) for (const device of group) density.wasAlone(device)
      await read.#readGroup(group)
    }
    return read
  }

  private constructor(reads: Pick<Reads, 'once' | 'isTurnSpent'>, nowMs: number, density: RowDensity) {
    this.#reads = reads
    this.#nowMs = nowMs
    this.#density = density
  }

  has(device: DeviceContext): boolean {
    return this.#rows.has(device)
  }

  /** In order of evaluation; undefined: they must be asked for. */
  of(device: DeviceContext, { fromMs, toMs }: Span): readonly ReadingInput[] | undefined {
    const known = this.#rows.get(device)
    if (!known || fromMs < known.fromMs) return undefined
    return known.rows.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  }

  async #readGroup(group: readonly DeviceContext[]): Promise<void> {
    if (group.length < 2 || this.#hasTimedOut || this.#reads.isTurnSpent) return
    const fromMs = group.reduce((first, device) => Math.min(first, neededFromMs(device)), Infinity)
    const deviceIds = group.map(({ config }) => config.deviceId)
    const rows = await this.#readTogether({ deviceIds, fromMs })
    if (rows === 'unreadable') return
    if (rows === 'too many') {
      this.#noteTooMany(group, fromMs)
      const half = Math.ceil(group.length / 2)
      await this.#readGroup(group.slice(0, half))
      await this.#readGroup(group.slice(half))
      return
    }
    const byDevice = Map.groupBy(rows, ({ deviceId }) => deviceId)
    for (const device of group) {
      const { unitId } = device.judging.unit
      const all = byDevice.get(device.config.deviceId) ?? []
      this.#density.note(device, expectedRows(device, fromMs, this.#nowMs), all.length)
      const own = all.filter((row) => row.unitId === unitId)
      own.sort((a, b) => a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs)
      this.#rows.set(device, { fromMs, rows: own })
    }
  }

  /** At least these. How many each of them has is known once they are read. */
  #noteTooMany(group: readonly DeviceContext[], fromMs: number): void {
    const rowsOf = (device: DeviceContext) =>
      this.#density.rows(device, expectedRows(device, fromMs, this.#nowMs))
    const factor = ROWS_MAX / group.reduce((sum, device) => sum + rowsOf(device), 0)
    for (const device of group) {
      this.#density.note(device, expectedRows(device, fromMs, this.#nowMs), rowsOf(device) * factor)
    }
  }

  async #readTogether(span: {
    deviceIds: readonly number[]
    fromMs: number
  }): Promise<StoredReading[] | 'too many' | 'unreadable'> {
    try {
      return (
        (await this.#reads.once((client) => rowsOfDevices(client, { ...span, limit: ROWS_MAX }))) ??
        'too many'
      )
    } catch (error) {
      if (!isOfDevice(error)) throw error
      this.#hasTimedOut = isTimeout(error)
      return 'unreadable'
    }
  }
}

/** As far back as a refold looks at first. */
function neededFromMs({ late, judging }: DeviceContext): number {
  const fromMs = late?.fromMs ?? Infinity
  return fromMs - BACK_INTERVALS_FIRST * intervalAt(judging, fromMs)
}

/** From a time to now, by the interval of the device. */
function expectedRows({ judging }: DeviceContext, fromMs: number, nowMs: number): number {
  return Math.max(0, nowMs - fromMs) / intervalAt(judging, fromMs)
}

/** Those of whom one has its turn first come first. */
function together(devices: readonly DeviceContext[], nowMs: number, density: RowDensity): DeviceContext[][] {
  const keyed = devices.map((device, turn) => ({ device, turn, fromMs: neededFromMs(device) }))
  const groups: { firstMs: number; rows: number; turn: number; group: DeviceContext[] }[] = []
  for (const { device, turn, fromMs } of keyed.sort((a, b) => a.fromMs - b.fromMs)) {
    const last = groups.at(-1)
    const isNear = last !== undefined && fromMs <= last.firstMs + TOGETHER_MS
    // A group is read from the time of its first one on.
    const rows = density.rows(device, expectedRows(device, isNear ? last.firstMs : fromMs, nowMs))
    if (isNear && last.rows + rows <= ROWS_EXPECTED_MAX) {
      last.group.push(device)
      last.rows += rows
      last.turn = Math.min(last.turn, turn)
    } else if (Number.isFinite(fromMs)) groups.push({ firstMs: fromMs, rows, turn, group: [device] })
  }
  return groups.sort((a, b) => a.turn - b.turn).map(({ group }) => group)
}
