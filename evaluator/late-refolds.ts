import { inReadOnly } from '../db/batches/transaction.ts'
import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { LateRows } from './late-rows.ts'
import { refoldDevice } from './refold-device.ts'
import { isOfDevice } from './refusals.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

const RETRY_MS = 60_000

interface LateRefoldsOptions extends Pick<SessionOptions, 'pool' | 'metrics' | 'now' | 'statementTimeoutMs'> {
  aside: Pick<SetAside, 'setDeviceAside' | 'deviceBack'>
  /** Awaited at each page of a long series. */
  onPage: () => Promise<void>
}

/**
 * Folds the devices again at which something came late. One whose rows cannot be read, or are too many for the time that a
 * statement has, is tried again every minute and stays late until then, also across a restart: it holds up no other one.
 */
export class LateRefolds {
  readonly #options: LateRefoldsOptions
  /** By `performance.now()`. */
  readonly #notBeforeMs = {
    late: new WeakMap<DeviceContext, number>(),
    old: new WeakMap<DeviceContext, number>(),
  }

  #rows: LateRows | undefined

  constructor(options: LateRefoldsOptions) {
    this.#options = options
  }

  /** Reads at once what the refolds of these units need, where several devices are late. */
  async prepare(units: Iterable<UnitContext>): Promise<void> {
    const due = [...units].flatMap(({ devices }) =>
      [...devices.values()].filter((device) => device.late && this.#isDue(device, 'late')),
    )
    this.#rows = due.length > 1 ? await LateRows.read(this.#options, due) : undefined
  }

  /** Those of a unit that are due. `held`: its messages whose turn is still to come. Returns what is to be forgotten of their episodes. */
  run(unit: UnitContext, held: readonly Arrival[]): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'late', held)
  }

  /** The same of what is so old that it has waited until there is time. */
  runOld(unit: UnitContext): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'old', [])
  }

  /** Whether there is something old of the unit that is not put off. */
  isOldDue({ devices }: UnitContext): boolean {
    return [...devices.values()].some((device) => device.old && this.#isDue(device, 'old'))
  }

  async #fold(unit: UnitContext, what: 'late' | 'old', held: readonly Arrival[]): Promise<EpisodeRange[]> {
    const { pool, statementTimeoutMs, metrics, now, onPage, aside } = this.#options
    const ranges: EpisodeRange[] = []
    for (const device of unit.devices.values()) {
      const late = device[what]
      if (!late || !this.#isDue(device, what)) continue
      metrics.refolds.inc()
      try {
        const rows = what === 'late' ? this.#rows : undefined
        const refolding = { late, held, nowMs: now(), rows, onPage }
        ranges.push(
          await inReadOnly(pool, statementTimeoutMs, (client) =>
            refoldDevice(client, unit, device, refolding),
          ),
        )
        device[what] = undefined
        this.#notBeforeMs[what].delete(device)
        // What failed may have been of another context, before a change of rules.
        if (!device.late && !device.old) aside.deviceBack(device.config.deviceId)
      } catch (error) {
        if (!isOfDevice(error)) throw error
        this.#putOff(unit, device, { what, error })
      }
    }
    return ranges
  }

  #isDue(device: DeviceContext, what: 'late' | 'old'): boolean {
    return performance.now() >= (this.#notBeforeMs[what].get(device) ?? -Infinity)
  }

  #putOff(
    { config: { unitId } }: UnitContext,
    device: DeviceContext,
    { what, error }: { what: 'late' | 'old'; error: unknown },
  ): void {
    const { metrics, aside } = this.#options
    this.#notBeforeMs[what].set(device, performance.now() + RETRY_MS)
    device.isUnsaved = true
    metrics.refoldsFailed.inc()
    aside.setDeviceAside({ unitId, deviceId: device.config.deviceId }, error)
  }
}

export function hasLate({ devices }: UnitContext): boolean {
  for (const { late } of devices.values()) if (late) return true
  return false
}
