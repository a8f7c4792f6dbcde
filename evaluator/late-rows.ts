import { inReadOnly } from '../db/batches/transaction.ts'
import { rowsOfDevices } from '../db/evaluation/reading-rows.ts'
import type { ReadingInput } from './core/types.ts'
import { BACK_INTERVALS_FIRST, intervalAt } from './refold.ts'
import { isOfDevice } from './refusals.ts'
import type { SessionOptions } from './session-options.ts'
import type { DeviceContext } from './unit-context.ts'

/** Late by about the same: their rows are read together. */
const TOGETHER_MS = 3_600_000
/** Rows of a group that are held in memory at once. */
const ROWS_MAX = 100_000

type Reading = Pick<SessionOptions, 'pool' | 'statementTimeoutMs'>

interface Span {
  fromMs: number
  toMs: number
}

/** Rows from a time on of devices that are late together. */
export class LateRows {
  readonly #rows = new Map<DeviceContext, { fromMs: number; rows: readonly ReadingInput[] }>()

  /** Reads what is worth it: of one device alone, or of rows that are too many or cannot be read, nothing. */
  static async read(reading: Reading, devices: readonly DeviceContext[]): Promise<LateRows> {
    const read = new LateRows()
    for (const group of together(devices)) {
      if (group.length > 1) await read.#readGroup(reading, group)
    }
    return read
  }

  /** In order of evaluation; undefined: they must be asked for. */
  of(device: DeviceContext, { fromMs, toMs }: Span): readonly ReadingInput[] | undefined {
    const known = this.#rows.get(device)
    if (!known || fromMs < known.fromMs) return undefined
    return known.rows.filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
  }

  async #readGroup({ pool, statementTimeoutMs }: Reading, group: readonly DeviceContext[]): Promise<void> {
    const fromMs = group.reduce((first, device) => Math.min(first, neededFromMs(device)), Infinity)
    const deviceIds = group.map(({ config }) => config.deviceId)
    const rows = await inReadOnly(pool, statementTimeoutMs, (client) =>
      rowsOfDevices(client, { deviceIds, fromMs, limit: ROWS_MAX }),
    ).catch((error) => {
      // Then each device is read by itself, so that only those stay behind that cannot be read.
      if (!isOfDevice(error)) throw error
      return undefined
    })
    if (!rows) return
    const byDevice = Map.groupBy(rows, ({ deviceId }) => deviceId)
    for (const device of group) {
      const { unitId } = device.judging.unit
      const own = byDevice.get(device.config.deviceId)?.filter((row) => row.unitId === unitId) ?? []
      own.sort((a, b) => a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs)
      this.#rows.set(device, { fromMs, rows: own })
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
