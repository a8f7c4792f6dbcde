import type { Calibration } from '../db/evaluation/calibrations.ts'
import { type DeviceState, isStateOf, type Judging, newDeviceState } from './core/device.ts'
import { type DoorTimeline, doorTimeline } from './core/doors.ts'
import type { Pause } from './core/pauses.ts'
import { type Hearing, type Listening, newHearing } from './core/silence.ts'
import type { DeviceConfig, Episode, UnitConfig } from './core/types.ts'
import type { UnitStatus } from './core/unit-status.ts'
import { type DeviceView, deviceView } from './core/view.ts'
import type { HeldDoors } from './held-doors.ts'
import type { Offsets } from './work.ts'

/** Inputs that are not in a state, by evaluation time: everything from the one to the other is to be folded again. */
export interface Late {
  fromMs: number
  toMs: number
}

/** Of a device that was set aside: all up to its newest reading. A number that JSON can hold, behind every reading. */
export const OPEN_END_MS = 8_640_000_000_000_000

/** What is stored of a device, as JSON. */
export interface SavedDevice {
  readings: DeviceState
  hearing: Hearing
  /** By which its readings were judged. States of early versions do not say. */
  offsets?: readonly Calibration[]
  /** What is not in `readings` yet, because it could not be folded. */
  late?: Late
  /** The same, of what is so old that it waits until there is time. */
  old?: Late
}

/** A device in a unit, with what its readings have come to. */
export interface DeviceContext {
  /** Of its unit and itself: a device may have stood in several units. */
  key: string
  config: DeviceConfig
  state: DeviceState
  judging: Judging
  /** Undefined: the state has changed since it was last asked for, see `viewOf`. */
  view: DeviceView | undefined
  hearing: Hearing
  listening: Listening
  /** By which its readings are judged; what was judged by others is late. */
  offsets: readonly Calibration[]
  /** It has changed since it was stored. */
  isUnsaved: boolean
  late: Late | undefined
  old: Late | undefined
  /** What is late was not folded when it had its turn: what comes meanwhile does not wait for that. */
  isPutOff: boolean
  /** What has come while its unit was set aside is still to be heard, before it is folded: nothing is known of its silence. */
  isUnheard: boolean
  /** Its running episodes that are written, by `episodeKey`: whether while a fresh reading was not good. */
  written: Map<string, boolean>
}

/** All that the evaluator holds of a unit. Whatever is in it can be made from the database again. */
export interface UnitContext {
  config: UnitConfig
  devices: Map<number, DeviceContext>
  doors: HeldDoors
  timeline: DoorTimeline
  /** Raised episodes that have changed since they were written, by `episodeKey`. */
  changed: Map<string, Episode>
  /** Devices whose silences were judged with news: those that run take the place of what is written. */
  silent: Set<number>
  /** The earliest door event since its doors were last judged; undefined: none. */
  doorsFromMs: number | undefined
  /** What was last found of its doors, as JSON. */
  doorsFound: string
  status: UnitStatus
  /** Our own: in them nobody is silent, and no unit is out of sight. */
  downtimes: readonly Pause[]
  /** A reading has come since its status was judged. */
  isHeard: boolean
}

export function openUnit(
  config: UnitConfig,
  known: {
    saved: ReadonlyMap<number, SavedDevice>
    doors: HeldDoors
    status: UnitStatus
    pauses: readonly Pause[]
    offsets: Offsets
  },
): UnitContext {
  const unit: UnitContext = {
    config,
    devices: new Map(),
    doors: known.doors,
    timeline: doorTimeline(known.doors.events),
    changed: new Map(),
    silent: new Set(),
    doorsFromMs: undefined,
    doorsFound: '',
    status: known.status,
    downtimes: known.pauses,
    isHeard: false,
  }
  for (const device of config.devices) {
    unit.devices.set(device.deviceId, openDevice(unit, device, known))
  }
  return unit
}

/** All is late that has come since the unit was stored, or behind a time that is given for a device. */
export function takeUp(unit: UnitContext, fromMs: ReadonlyMap<number, number>): void {
  unit.doorsFromMs = -Infinity
  for (const [deviceId, device] of unit.devices) {
    device.isUnheard = true
    const storedToMs = Math.max(device.state.atMs, 0)
    noteLate(device, { fromMs: Math.min(fromMs.get(deviceId) ?? storedToMs, storedToMs), toMs: OPEN_END_MS })
  }
}

function openDevice(
  unit: UnitContext,
  config: DeviceConfig,
  known: { saved: ReadonlyMap<number, SavedDevice>; pauses: readonly Pause[]; offsets: Offsets },
): DeviceContext {
  const saved = known.saved.get(config.deviceId)
  const offsets = known.offsets.get(config.deviceId) ?? []
  const judging: Judging = {
    unit: unit.config,
    device: config,
    // Through the unit: its timeline is replaced with each event.
    isDoorOpenAt: (atMs) => unit.timeline.isOpenAt(atMs),
  }
  const state = saved?.readings ?? newDeviceState()
  const tracks = unit.config.tracks.filter(({ conditionType }) => conditionType === 'no_data')
  const device: DeviceContext = {
    key: `${unit.config.unitId} ${config.deviceId}`,
    config,
    state,
    judging,
    view: undefined,
    hearing: saved?.hearing ?? newHearing(),
    listening: { device: config, tracks, pauses: known.pauses },
    offsets: saved?.offsets ?? offsets,
    isUnsaved: false,
    late: saved?.late,
    old: saved?.old,
    isPutOff: false,
    isUnheard: false,
    written: new Map(),
  }
  // A state of other rules: they have changed while nobody evaluated.
  if (!isStateOf(state, unit.config)) noteLate(device, { fromMs: state.atMs, toMs: state.atMs })
  recalibrate(device, offsets)
  return device
}

/** What its readings have come to, made when it is asked for: many may come before. */
export function viewOf(device: DeviceContext): DeviceView {
  device.view ??= deviceView(device.state, device.judging)
  return device.view
}

/** What is to be stored of a device. */
export function savedDevice({ state, hearing, offsets, late, old }: DeviceContext): SavedDevice {
  return { readings: state, hearing, offsets, ...(late ? { late } : {}), ...(old ? { old } : {}) }
}

/** Takes over its offsets; false: they are those by which it is judged already. */
export function recalibrate(device: DeviceContext, offsets: readonly Calibration[]): boolean {
  const changed = [...without(device.offsets, offsets), ...without(offsets, device.offsets)]
  if (changed.length === 0) return false
  device.offsets = offsets
  // By which offsets it was heard is not known: it may have been read when they had changed already.
  device.hearing.temperatureAtMs = null
  device.hearing.temperatureCenti = null
  const fromMs = changed.reduce(
    (first, one) => Math.min(first, one.fromMs),
    viewOf(device).newestAtMs ?? Infinity,
  )
  // Also where nothing is judged yet: its first readings may wait to be, without the offset.
  noteLate(device, { fromMs, toMs: viewOf(device).newestAtMs ?? fromMs })
  return true
}

function without(some: readonly Calibration[], others: readonly Calibration[]): Calibration[] {
  const isOne = (a: Calibration) => (b: Calibration) =>
    a.fromMs === b.fromMs && a.offsetCenti === b.offsetCenti
  return some.filter((one) => !others.some(isOne(one)))
}

/** Whether it was set aside, and is not folded again yet. */
export function isTakenUp({ devices }: UnitContext): boolean {
  return [...devices.values()].some(({ late }) => late?.toMs === OPEN_END_MS)
}

export function noteLate(device: DeviceContext, late: Late): void {
  device.late = both(device.late ?? late, late)
}

/** What is older than the newest reading by more than this is judged beside what is live, when there is time. */
const INLINE_MS = 7 * 24 * 3_600_000

export function isOld({ state }: DeviceContext, atMs: number): boolean {
  return atMs < state.atMs - INLINE_MS
}

export function noteOld(device: DeviceContext, old: Late): void {
  device.old = both(device.old ?? old, old)
}

export function hasOld({ devices }: UnitContext): boolean {
  for (const { old } of devices.values()) if (old) return true
  return false
}

function both(a: Late, b: Late): Late {
  return { fromMs: Math.min(a.fromMs, b.fromMs), toMs: Math.max(a.toMs, b.toMs) }
}

/** With its trigger: a rule that has changed may raise what ended with its last version again, from the same start. */
export function episodeKey(episode: Episode): string {
  const { deviceId, ruleId, conditionType, startedAtMs, triggeredAtMs } = episode
  return `${deviceId} ${ruleId ?? ''} ${conditionType} ${startedAtMs} ${triggeredAtMs}`
}
