import { isDeepStrictEqual } from 'node:util'
import { readCalibrations } from '../db/evaluation/calibrations.ts'
import { configChangesSince } from '../db/evaluation/config-changes.ts'
import { configVersion } from '../db/evaluation/config-version.ts'
import { readDowntime } from '../db/evaluation/downtime.ts'
import { loadUnitConfigs } from './config/unit-configs.ts'
import { allPauses, type Pause } from './core/pauses.ts'
import type { UnitConfig } from './core/types.ts'
import { loadUnits, openUnits } from './load-units.ts'
import type { Read, Reads } from './reads.ts'
import {
  noteLate,
  openUnit,
  recalibrate,
  savedDevice,
  takeUp,
  type UnitContext,
  viewOf,
} from './unit-context.ts'
import type { Offsets } from './work.ts'

/** Of a silence that began before, the pauses of that time do not matter any more. */
const PAUSES_KEPT_MS = 30 * 24 * 3_600_000

interface MemoryOptions {
  reads: Pick<Reads, 'once' | 'untilAnswered'>
  nowMs: () => number
  onDefect: (message: string) => void
  /** Told of a unit that is configured otherwise, with its context of before. */
  onReplaced?: (before: UnitContext, after: UnitContext) => void
}

/** All live units with their states, and the calibrations of their devices. Read from the database, and replaced as they change. */
export class FleetMemory {
  readonly units = new Map<number, UnitContext>()
  offsets: Offsets = new Map()
  /** Our own downtimes: in them nobody is silent. */
  downtimes: readonly Pause[] = []
  readonly #options: MemoryOptions
  readonly #closed = new Set<number>()
  #version = -1n

  constructor(options: MemoryOptions) {
    this.#options = options
  }

  async load(): Promise<void> {
    const { nowMs, onDefect } = this.#options
    const read = this.#options.reads.untilAnswered
    // First: what changes meanwhile is loaded again.
    this.#version = await read(configVersion)
    this.offsets = await loadOffsets(read)
    this.downtimes = await read((client) => readDowntime(client, nowMs() - PAUSES_KEPT_MS))
    const pauses = allPauses(this.downtimes, [])
    for (const unit of await loadUnits(read, { nowMs: nowMs(), pauses, offsets: this.offsets, onDefect })) {
      this.units.set(unit.config.unitId, unit)
    }
  }

  /** Forgets a unit, until it is opened again. */
  close(unitId: number): void {
    this.units.delete(unitId)
    this.#closed.add(unitId)
  }

  /**
   * Reads a closed unit from the database. All is late that has come to its devices since it was stored, or behind a time that
   * is given for one. Undefined: it is no more. Fails where that takes too long.
   */
  async reopen(unitId: number, fromMs: ReadonlyMap<number, number>): Promise<UnitContext | undefined> {
    const { reads, nowMs, onDefect } = this.#options
    const pauses = allPauses(this.downtimes, [])
    const [unit] = await loadUnits(reads.once, {
      unitIds: [unitId],
      nowMs: nowMs(),
      pauses,
      offsets: this.offsets,
      onDefect,
      isLiveOnly: true,
    })
    this.#closed.delete(unitId)
    if (!unit) return undefined
    takeUp(unit, fromMs)
    this.units.set(unitId, unit)
    return unit
  }

  /** Takes over what was changed; returns the units that must be judged again. */
  async refresh(): Promise<UnitContext[]> {
    const { nowMs, onDefect } = this.#options
    const read = this.#options.reads.untilAnswered
    const { version, concerned } = await read((client) => configChangesSince(client, this.#version))
    if (version === this.#version) return []
    const unitIds = concerned && [...new Set([...concerned.unitIds, ...this.#leaving()])]
    const configs = await read((client) => loadUnitConfigs(client, unitIds, { onDefect, isLiveOnly: true }))
    const offsets = await loadOffsets(read, concerned?.deviceIds)
    const opened = configs.filter(({ unitId }) => !this.#closed.has(unitId))
    // One that was deleted once may come back.
    const added = await openUnits(
      read,
      opened.filter(({ unitId }) => !this.units.has(unitId)),
      { nowMs: nowMs(), pauses: allPauses(this.downtimes, []), offsets: this.offsets },
    )
    // What changes from here on is loaded again.
    this.#version = version
    for (const unit of added) this.units.set(unit.config.unitId, unit)
    const changed = opened.flatMap((config) => this.#take(config) ?? [])
    const live = new Set(configs.map(({ unitId }) => unitId))
    for (const unitId of unitIds ?? this.units.keys()) if (!live.has(unitId)) this.units.delete(unitId)
    const recalibrated = this.#recalibrate(offsets, concerned?.deviceIds)
    return [...new Set([...added, ...changed, ...recalibrated])]
  }

  /** Units that were deleted, and are held until their alerts have ended: nothing says so but another look. */
  #leaving(): number[] {
    return [...this.units.values()].flatMap(({ config }) => (config.isGone ? [config.unitId] : []))
  }

  /** A new context for a unit that is configured otherwise; its devices keep what is known of them. */
  #take(config: UnitConfig): UnitContext | undefined {
    const before = this.units.get(config.unitId)
    if (!before || isDeepStrictEqual(before.config, config)) return undefined
    const saved = new Map([...before.devices].map(([id, device]) => [id, savedDevice(device)]))
    const unit = openUnit(config, {
      saved,
      doors: before.doors,
      status: before.status,
      pauses: allPauses(this.downtimes, []),
      offsets: this.offsets,
    })
    this.units.set(config.unitId, unit)
    takeUnwritten(unit, before)
    this.#options.onReplaced?.(before, unit)
    unit.doorsFromMs = -Infinity
    const fromMs = changedFromMs(before.config, config)
    for (const device of unit.devices.values()) {
      const { newestAtMs } = viewOf(device)
      if (newestAtMs !== null) {
        noteLate(device, { fromMs: Math.min(fromMs, newestAtMs), toMs: newestAtMs })
      }
    }
    return unit
  }

  /** Takes over the offsets of these devices, or of all. */
  #recalibrate(given: Offsets, deviceIds: readonly number[] | undefined): UnitContext[] {
    this.offsets = deviceIds ? replaced(this.offsets, given, deviceIds) : given
    const named = deviceIds && new Set(deviceIds)
    if (named?.size === 0) return []
    const touched: UnitContext[] = []
    for (const unit of this.units.values()) {
      for (const [deviceId, device] of unit.devices) {
        if (named && !named.has(deviceId)) continue
        if (recalibrate(device, this.offsets.get(deviceId) ?? [])) touched.push(unit)
      }
    }
    return touched
  }
}

/** What the context before had still to do, or to write. */
function takeUnwritten(unit: UnitContext, before: UnitContext): void {
  for (const [key, episode] of before.changed) unit.changed.set(key, episode)
  for (const deviceId of before.silent) unit.silent.add(deviceId)
  unit.isHeard = before.isHeard
  for (const [deviceId, { isUnsaved, isPutOff, isUnheard, late }] of before.devices) {
    const device = unit.devices.get(deviceId)
    if (!device) continue
    device.isUnsaved = isUnsaved
    device.isPutOff = isPutOff
    device.isUnheard = isUnheard
    if (late) noteLate(device, late)
  }
}

async function loadOffsets(read: Read, deviceIds?: readonly number[]): Promise<Offsets> {
  if (deviceIds?.length === 0) return new Map()
  const calibrations = await read((client) => readCalibrations(client, deviceIds))
  return Map.groupBy(calibrations, ({ deviceId }) => deviceId)
}

function replaced(before: Offsets, given: Offsets, deviceIds: readonly number[]): Offsets {
  if (deviceIds.length === 0) return before
  const offsets = new Map(before)
  for (const deviceId of deviceIds) offsets.set(deviceId, given.get(deviceId) ?? [])
  return offsets
}

/** The earliest time from which two configurations of a unit may judge otherwise; Infinity: from its next reading on. */
function changedFromMs(before: UnitConfig, after: UnitConfig): number {
  const [old, now] = [boundaries(before), boundaries(after)]
  const unshared = [...old.symmetricDifference(now)].map((key) => Number(key.split(' ').at(-1)))
  return unshared.filter(Number.isFinite).reduce((a, b) => Math.min(a, b), Infinity)
}

/** Every time at which something begins or ends to hold, with what it is of. */
function boundaries({ tracks, devices }: UnitConfig): Set<string> {
  const ofRules = tracks.flatMap(({ ruleId, conditionType, versions }) =>
    versions.flatMap(({ version, fromMs, toMs, triggers }) =>
      [fromMs, toMs, triggers.fromMs].map((atMs) => `${ruleId} ${conditionType} ${version} ${atMs}`),
    ),
  )
  const ofDevices = devices.flatMap(({ deviceId, intervalMs }) =>
    intervalMs.map(({ fromMs, value }) => `${deviceId} ${value} ${fromMs}`),
  )
  return new Set([...ofRules, ...ofDevices])
}
