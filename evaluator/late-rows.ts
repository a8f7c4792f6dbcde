import type { StoredReading } from '../db/evaluation/inputs.ts'
import { rowsOfDevices } from '../db/evaluation/reading-rows.ts'
import type { ReadingInput } from './core/types.ts'
import type { Read } from './reads.ts'
import { BACK_INTERVALS_FIRST, intervalAt } from './refold.ts'
import { isOfDevice, isTimeout } from './refusals.ts'
import type { DeviceContext } from './unit-context.ts'

/** Late by about the same: their rows are read together. */
const TOGETHER_MS = 3_600_000
/** Rows of a group that are held in memory at once. */
const ROWS_MAX = 100_000

interface Span {
  fromMs: number
  toMs: number
}

/** Rows from a time on of devices that are late together. */
export class LateRows {
  readonly #rows = new Map<DeviceContext, { fromMs: number; rows: readonly ReadingInput[] }>()
  /** A group has taken too long: no further one is read, as each of them might take as long. */
  #hasTimedOut = false

  /**
   * Reads what is worth it: of one device alone nothing, of too many rows a half after the other. What cannot be read is left to each
   * device by itself, so that only those stay behind that cannot be read.
   */
  static async read(once: Read, devices: readonly DeviceContext[]): Promise<LateRows> {
    const read = new LateRows()
    for (const group of together(devices)) await read.#readGroup(once, group)
    return read
  }

  /** In order of evaluation; undefined: they must be asked for. */
  of(device: DeviceContext, { fromMs, toMs }: Span): readonly ReadingInput[] | undefined {
    const known = this.#rows.get(device)
    if (!known || fromMs < known.fromMs) return undefined
    return known.rows.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  }

  async #readGroup(once: Read, group: readonly DeviceContext[]): Promise<void> {
    if (group.length < 2 || this.#hasTimedOut) return
    const fromMs = group.reduce((first, device) => Math.min(first, neededFromMs(device)), Infinity)
    const deviceIds = group.map(({ config }) => config.deviceId)
    const rows = await this.#readTogether(once, { deviceIds, fromMs })
    if (rows === 'unreadable') return
    if (rows === 'too many') {
      const half = Math.ceil(group.length / 2)
      await this.#readGroup(once, group.slice(0, half))
      await this.#readGroup(once, group.slice(half))
      return
    }
    const byDevice = Map.groupBy(rows, ({ deviceId }) => deviceId)
    for (const device of group) {
      const { unitId } = device.judging.unit
      const own = byDevice.get(device.config.deviceId)?.filter((row) => row.unitId === unitId) ?? []
      own.sort((a, b) => a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs)
      this.#rows.set(device, { fromMs, rows: own })
    }
  }

  async #readTogether(
    once: Read,
    span: { deviceIds: readonly number[]; fromMs: number },
  ): Promise<StoredReading[] | 'too many' | 'unreadable'> {
    try {
      return (await once((client) => rowsOfDevices(client, { ...span, limit: ROWS_MAX }))) ?? 'too many'
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

function together(devices: readonly DeviceContext[]): DeviceContext[][] {
  const groups: { firstMs: number; group: DeviceContext[] }[] = []
  for (const device of devices.toSorted((a, b) => neededFromMs(a) - neededFromMs(b))) {
    const fromMs = neededFromMs(device)
    const last = groups.at(-1)
    if (last && fromMs <= last.firstMs + TOGETHER_MS) last.group.push(device)
    else if (Number.isFinite(fromMs)) groups.push({ firstMs: fromMs, group: [device] })
  }
  return groups.map(({ group }) => group)
}
