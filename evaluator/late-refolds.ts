import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { mayWait } from './deferral.ts'
import { LateRows } from './late-rows.ts'
import { refoldDevice } from './refold-device.ts'
import { isOfDevice, isTimeout } from './refusals.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import { Tries } from './tries.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

interface LateRefoldsOptions extends Pick<SessionOptions, 'reads' | 'metrics' | 'now'> {
  aside: Pick<SetAside, 'setDeviceAside' | 'deviceBack'>
  /** Awaited at each page of a long series. */
  onPage: () => Promise<void>
}

/**
 * Folds the devices again at which something came late. One whose rows cannot be read, or are too many for the time that a
 * statement has, is tried again every minute and stays late until then, also across a restart: it holds up no other one. Many
 * such hold up nothing for longer than one of them: the first that takes too long puts the others off.
 */
export class LateRefolds {
  readonly #options: LateRefoldsOptions
  readonly #tries = { late: new Tries<DeviceContext>(), old: new Tries<DeviceContext>() }
  #rows: LateRows | undefined
  #isDeferring = false

  constructor(options: LateRefoldsOptions) {
    this.#options = options
  }

  /**
   * Reads at once what the refolds of these units need, where several devices are late. Returns the units in the order to `run` them.
   * `isDeferring`: what may wait does so, see `Deferral`.
   */
  async prepare(units: Iterable<UnitContext>, isDeferring: boolean): Promise<UnitContext[]> {
    this.#isDeferring = isDeferring
    const { late } = this.#tries
    const all = [...units].map((unit) => ({ unit, devices: devicesWith(unit, 'late') }))
    const due = all.flatMap(({ unit, devices }) =>
      devices.filter((device) => this.#isDue(unit, device, 'late') && !late.hasFailed(device)),
    )
    this.#rows = due.length > 1 ? await LateRows.read(this.#options.reads.once, due) : undefined
    return late.inOrder(all, ({ devices }) => devices).map(({ unit }) => unit)
  }

  /** Those of a unit that are due. `held`: its messages whose turn is still to come. Returns what is to be forgotten of their episodes. */
  run(unit: UnitContext, held: readonly Arrival[]): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'late', held)
  }

  /** The same of what is so old that it has waited until there is time. */
  runOld(unit: UnitContext): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'old', [])
  }

  /** The first of these units of which something old is due. */
  nextOld(units: Iterable<UnitContext>): UnitContext | undefined {
    return this.#tries.old.next(units, (unit) => devicesWith(unit, 'old'))
  }

  #isDue(unit: UnitContext, device: DeviceContext, what: 'late' | 'old'): boolean {
    if (what === 'late' && this.#isDeferring && mayWait(unit, device)) return false
    return this.#tries[what].isDue(device)
  }

  async #fold(unit: UnitContext, what: 'late' | 'old', held: readonly Arrival[]): Promise<EpisodeRange[]> {
    const { reads, metrics, now, onPage, aside } = this.#options
    const tries = this.#tries[what]
    const ranges: EpisodeRange[] = []
    for (const device of tries.inOrder([...unit.devices.values()], (one) => [one])) {
      const late = device[what]
      if (!late) continue
      if (!this.#isDue(unit, device, what)) {
        // A restart must not forget it.
        device.isUnsaved = true
        continue
      }
      metrics.refolds.inc()
      try {
        const rows = what === 'late' ? this.#rows : undefined
        ranges.push(await refoldDevice(reads.once, unit, device, { late, held, nowMs: now(), rows, onPage }))
        device[what] = undefined
        tries.succeeded(device)
        // What failed may have been of another context, before a change of rules.
        if (!device.late && !device.old) aside.deviceBack(device.config.deviceId)
      } catch (error) {
        if (!isOfDevice(error)) throw error
        tries.failed(device, { isTimeout: isTimeout(error) })
        device.isUnsaved = true
        metrics.refoldsFailed.inc()
        const { deviceId } = device.config
        aside.setDeviceAside({ unitId: unit.config.unitId, deviceId }, error)
      }
    }
    return ranges
  }
}

export function hasLate({ devices }: UnitContext): boolean {
  for (const { late } of devices.values()) if (late) return true
  return false
}

function devicesWith({ devices }: UnitContext, what: 'late' | 'old'): DeviceContext[] {
  return [...devices.values()].filter((device) => device[what])
}
