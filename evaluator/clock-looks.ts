import { readOpenHubAlerts } from '../db/evaluation/alert-rows.ts'
import { readHubStates } from '../db/evaluation/hub-states.ts'
import type { AlertFacts } from './core/types.ts'
import type { FleetMemory } from './fleet-memory.ts'
import type { HubHorizons } from './hub-horizons.ts'
import { type HubFacts, HubOutages } from './hub-outages.ts'
import { hasOpenDoor } from './judge-doors.ts'
import { hasLate } from './late-refolds.ts'
import { type Overdue, OverdueLooks } from './overdue-looks.ts'
import { lookAtSilence } from './session-clock.ts'
import type { SessionOptions } from './session-options.ts'
import type { SetAside } from './set-aside.ts'
import { type DeviceContext, hasOld, type UnitContext } from './unit-context.ts'

/** How often the clock is let judge, and changed rules are looked for. */
const LOOK_MS = 1_000
/** How often manual logs and calibrations are looked at. */
const OVERDUE_MS = 5_000
const NOTHING_OVERDUE: Overdue = { unitFacts: [], ranges: [], units: [] }

/** What the clock has made due. */
export interface Due extends Omit<Overdue, 'units'> {
  /** Units of which something may have become. */
  units: Set<UnitContext>
  /** Units of which something has come late. */
  late: UnitContext[]
  /** Units of which something very old has come. */
  old: UnitContext[]
  hubs: HubFacts[]
}

/** Lets the clock judge what does not come from what arrives: silence, doors that stay open, hubs that are away, what is overdue. */
export class ClockLooks {
  readonly #options: Pick<SessionOptions, 'reads' | 'now'>
  readonly #memory: FleetMemory
  readonly #horizons: HubHorizons
  readonly #aside: SetAside
  readonly #outages = new HubOutages()
  readonly #overdue = new OverdueLooks()
  readonly #looks = new WeakMap<DeviceContext, number>()
  #nextLookMs = 0
  #nextOverdueMs = 0

  constructor(
    options: Pick<SessionOptions, 'reads' | 'now'>,
    on: { memory: FleetMemory; horizons: HubHorizons; aside: SetAside },
  ) {
    this.#options = options
    this.#memory = on.memory
    this.#horizons = on.horizons
    this.#aside = on.aside
  }

  /** Takes note of the hubs as they are, and of what was said of them. */
  async begin(): Promise<void> {
    const { reads, now } = this.#options
    this.#outages.update(await reads.untilAnswered(readHubStates), now())
    const running = await reads.untilAnswered((client) => readOpenHubAlerts(client, null))
    this.#outages.resume(running.map(({ facts }) => facts as AlertFacts))
    for (const unit of this.#memory.units.values()) this.open(unit)
  }

  /** For a unit that was loaded, or configured otherwise. */
  open(unit: UnitContext): void {
    for (const device of unit.devices.values()) {
      device.listening.pauses = this.#outages.pausesOf(device.config.hubId, this.#memory.downtimes)
    }
  }

  /** What it has found of a unit is not written: it is to be found again. */
  forget(unitId: number): void {
    this.#overdue.forget(unitId)
  }

  get isDue(): boolean {
    return performance.now() >= this.#nextLookMs
  }

  /** What comes from readings is judged up to `heardToMs`, what people do and hubs say up to now. */
  async look(at: { nowMs: number; heardToMs: number }): Promise<Due> {
    this.#nextLookMs = performance.now() + LOOK_MS
    this.#aside.forgetGone()
    const units = [...this.#memory.units.values()]
    const { hubs, changed } = await this.#lookAtHubs(units, at)
    const due = new Set(changed)
    for (const unit of units) {
      this.#aside.guard(unit, () => {
        if (lookAtSilence(unit, at.heardToMs, this.#looks)) due.add(unit)
        if (!hasOpenDoor(unit)) return
        unit.doorsFromMs ??= Infinity
        due.add(unit)
      })
      // Of one that was set aside by that, nothing more is said.
      if (this.#aside.has(unit.config.unitId)) due.delete(unit)
    }
    const there = units.filter(({ config }) => !this.#aside.has(config.unitId))
    const { unitFacts, ranges, units: overdue } = await this.#lookForOverdue(there, at.nowMs)
    const [late, old] = [there.filter(hasLate), there.filter(hasOld)]
    return { units: due.union(new Set(overdue)), late, old, hubs, unitFacts, ranges }
  }

  /** Before the devices: while their hub is away they are not silent. */
  async #lookAtHubs(
    units: readonly UnitContext[],
    { nowMs, heardToMs }: { nowMs: number; heardToMs: number },
  ): Promise<{ hubs: HubFacts[]; changed: UnitContext[] }> {
    const states = await this.#options.reads.untilAnswered(readHubStates)
    this.#horizons.setConnected(
      new Set(states.flatMap(({ hubId, isOnline, isGone }) => (isOnline && !isGone ? [hubId] : []))),
    )
    const ids = this.#outages.update(states, nowMs)
    const isChanged = ({ devices }: UnitContext) =>
      [...devices.values()].some(({ config }) => ids.has(config.hubId ?? 0))
    const changed = ids.size > 0 ? units.filter(isChanged) : []
    for (const unit of changed) this.open(unit)
    const heard = { units, asideListenings: this.#aside.listenings() }
    return { hubs: this.#outages.judge(heard, this.#memory.downtimes, { nowMs, heardToMs }), changed }
  }

  async #lookForOverdue(units: readonly UnitContext[], nowMs: number): Promise<Overdue> {
    if (performance.now() < this.#nextOverdueMs) return NOTHING_OVERDUE
    this.#nextOverdueMs = performance.now() + OVERDUE_MS
    return this.#overdue.look(this.#options.reads.untilAnswered, units, nowMs)
  }
}
