import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { isWaiting, mayWait, type Waits } from './deferral.ts'
import { hearMissed } from './hear-missed.ts'
import { LateRows, RowDensity } from './late-rows.ts'
import { TurnSpentError } from './reads.ts'
import { refoldDevice } from './refold-device.ts'
import { isOfDevice, isTimeout } from './refusals.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import { Tries } from './tries.ts'
import type { DeviceContext, Late, UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

/** Units that have their turn with a look of the clock: where there are many, most would be looked at in vain. */
const UNITS_AT_ONCE = 5_000
/** After devices could not be read together in time, each is read alone for so long: all that is live has waited for them. */
const ALONE_MS = 60_000

type What = 'late' | 'old'

interface LateRefoldsOptions extends Pick<SessionOptions, 'reads' | 'metrics' | 'now'> {
  aside: Pick<SetAside, 'setDeviceAside' | 'deviceBack'>
  /** Awaited at each page of a long series. */
  onPage: () => Promise<void>
}

/**
 * Folds the devices again at which something came late. One whose rows cannot be read, or are too many for the time that a
 * statement has, is tried again every minute and stays late until then, also across a restart: it holds up no other one. Many
 * such hold up nothing for longer than one of them: the first that takes too long puts the others off. Many that are slow have so much
 * time of a turn as `Reads` gives them; what is left has its turn in another one.
 *
 * While a device is late, all that comes of it is: its state, and its episodes, stay as they were. It takes no other device to fold
 * one, so those of a unit may be folded in different turns; its alerts are made of what is known of each of them.
 */
export class LateRefolds {
  readonly #options: LateRefoldsOptions
  readonly #tries = { late: new Tries<DeviceContext>(), old: new Tries<DeviceContext>() }
  /** What was put off and is stored, or will be. */
  readonly #kept = new WeakSet<Late>()
  #rows: LateRows | undefined
  readonly #density = new RowDensity()
  #waits: Waits = 'nothing'
  #hasTried = false
  /** By `performance.now()`. */
  #aloneUntilMs = -Infinity

  constructor(options: LateRefoldsOptions) {
    this.#options = options
  }

  /** Of the units at which something is late, those that have their turn next. `waits`: see `Deferral`. */
  next(units: readonly UnitContext[], waits: Waits): UnitContext[] {
    const { late } = this.#tries
    const isAnyDue = (unit: UnitContext) =>
      unit.devices
        .values()
        .some((device) => device.late && late.isDue(device) && !isWaiting(unit, device, waits))
    const due = this.#inOrder(units.filter(isAnyDue))
    for (const unit of due.slice(UNITS_AT_ONCE)) late.putOff(unit)
    return due.slice(0, UNITS_AT_ONCE)
  }

  /**
   * Reads at once what the refolds of these units need, where several devices are late. Returns the units in the order to `run` them.
   * `waits`: see `Deferral`. `settled` ends it.
   */
  async prepare(units: Iterable<UnitContext>, waits: Waits): Promise<UnitContext[]> {
    this.#waits = waits
    this.#hasTried = false
    const { late } = this.#tries
    const { reads, now } = this.#options
    const ordered = this.#inOrder([...units])
    const due = ordered.flatMap((unit) =>
      devicesInOrder(unit, 'late', late).filter(
        (device) =>
          // What is still to be heard is read by itself.
          !device.isUnheard &&
          !late.hasFailed(device) &&
          late.isDue(device) &&
          !isWaiting(unit, device, waits),
      ),
    )
    const isTogether = due.length > 1 && performance.now() >= this.#aloneUntilMs
    this.#rows = isTogether
      ? await LateRows.read(reads, due, { nowMs: now(), density: this.#density })
      : undefined
    if (this.#rows?.hasTimedOut) this.#aloneUntilMs = performance.now() + ALONE_MS
    return ordered
  }

  #inOrder(units: readonly UnitContext[]): UnitContext[] {
    return this.#tries.late.inOrder(units, (unit) => devicesWith(unit, 'late'))
  }

  /** Those of a unit that are due. `held`: its messages whose turn is still to come. Returns what is to be forgotten of their episodes. */
  run(unit: UnitContext, held: readonly Arrival[]): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'late', held)
  }

  /** Lets go of what was read for these units. Returns whether any of them was folded, or tried to be. */
  settled(): boolean {
    this.#rows = undefined
    return this.#hasTried
  }

  /** The same of what is so old that it has waited until there is time. */
  runOld(unit: UnitContext): Promise<EpisodeRange[]> {
    return this.#fold(unit, 'old', [])
  }

  /** The first of these units of which something old is due. The others have waited then. */
  nextOld(units: ReadonlySet<UnitContext>): UnitContext | undefined {
    const { old } = this.#tries
    const next = old.next(units, (unit) => devicesWith(unit, 'old'))
    for (const unit of units) if (unit !== next) old.putOff(unit)
    return next
  }

  /** A unit is configured otherwise: what is late of it keeps its turn. */
  replaced(before: UnitContext, after: UnitContext): void {
    for (const tries of [this.#tries.late, this.#tries.old]) {
      tries.holderReplaced(before, after)
      for (const [deviceId, device] of before.devices) {
        const next = after.devices.get(deviceId)
        if (next) tries.replaced(device, next)
      }
    }
  }

  async #fold(unit: UnitContext, what: What, held: readonly Arrival[]): Promise<EpisodeRange[]> {
    const tries = this.#tries[what]
    const rows = what === 'late' ? this.#rows : undefined
    const devices = devicesInOrder(unit, what, tries)
    const ranges: EpisodeRange[] = []
    let isSpent = false
    let isTried = false
    /** It took of the time of the turn, and not only of what was read for many. */
    let isServed = false
    for (const device of devices) {
      const late = device[what]
      if (!late) continue
      if (what === 'late' && isWaiting(unit, device, this.#waits)) {
        if (mayWait(unit, device)) this.#keep(device, late)
        else this.#putOff(device, what)
        continue
      }
      if (!tries.isDue(device) || (isSpent && !rows?.has(device))) {
        this.#putOff(device, what)
        continue
      }
      const { reads } = this.#options
      const spentMs = reads.spentMs
      try {
        ranges.push(await this.#foldDevice(unit, device, { what, late, held, rows }))
        isTried = true
        isServed ||= reads.spentMs > spentMs
      } catch (error) {
        this.#putOff(device, what)
        if (error instanceof TurnSpentError) isSpent = true
        else {
          this.#failed(unit, device, { what, error })
          isTried = true
          isServed = true
        }
      }
    }
    this.#hasTried ||= isTried
    if (isServed || (isTried && !isSpent)) tries.served(unit)
    else if (devices.length > 0) tries.putOff(unit)
    return ranges
  }

  async #foldDevice(
    unit: UnitContext,
    device: DeviceContext,
    {
      what,
      late,
      held,
      rows,
    }: { what: What; late: Late; held: readonly Arrival[]; rows: LateRows | undefined },
  ): Promise<EpisodeRange> {
    const { reads, metrics, now, onPage, aside } = this.#options
    const read = reads.inTime()
    // Its silence is told with what is late: nobody judges it behind what is old.
    if (what === 'late' && device.isUnheard) await hearMissed(read, unit, device, now())
    const range = await refoldDevice(read, unit, device, { late, held, nowMs: now(), rows, onPage })
    metrics.refolds.inc()
    device[what] = undefined
    if (what === 'late') device.isPutOff = false
    this.#tries[what].succeeded(device)
    // What failed may have been of another context, before a change of rules.
    if (!device.late && !device.old) aside.deviceBack(device.config.deviceId)
    return range
  }

  #failed(unit: UnitContext, device: DeviceContext, { what, error }: { what: What; error: unknown }): void {
    if (!isOfDevice(error)) throw error
    this.#tries[what].failed(device, { isTimeout: isTimeout(error) })
    this.#options.metrics.refoldsFailed.inc()
    const { deviceId } = device.config
    this.#options.aside.setDeviceAside({ unitId: unit.config.unitId, deviceId }, error)
  }

  #putOff(device: DeviceContext, what: What): void {
    const late = device[what]
    if (what === 'late') device.isPutOff = true
    this.#tries[what].putOff(device)
    if (late) this.#keep(device, late)
  }

  /** A restart must not forget it. */
  #keep(device: DeviceContext, late: Late): void {
    if (this.#kept.has(late)) return
    this.#kept.add(late)
    device.isUnsaved = true
  }
}

export function hasLate({ devices }: UnitContext): boolean {
  for (const { late } of devices.values()) if (late) return true
  return false
}

function devicesWith({ devices }: UnitContext, what: What): DeviceContext[] {
  return [...devices.values()].filter((device) => device[what])
}

function devicesInOrder(unit: UnitContext, what: What, tries: Tries<DeviceContext>): DeviceContext[] {
  return tries.inOrder(devicesWith(unit, what), (device) => [device])
}
