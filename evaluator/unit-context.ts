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

/** What is stored of a device, as JSON. */
export interface SavedDevice {
  readings: DeviceState
  hearing: Hearing
  /** By which its readings were judged. States of early versions do not say. */
  offsets?: readonly Calibration[]
  /** What is not in `readings` yet, because it could not be folded. */
  late?: Late
}

/** A device in a unit, with what its readings have come to. */
export interface DeviceContext {
  config: DeviceConfig
  state: DeviceState
  judging: Judging
  view: DeviceView
  hearing: Hearing
  listening: Listening
  /** By which its readings are judged; what was judged by others is late. */
  offsets: readonly Calibration[]
  /** It has changed since it was stored. */
  isUnsaved: boolean
  late: Late | undefined
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
    config,
    state,
    judging,
    view: deviceView(state, judging),
    hearing: saved?.hearing ?? newHearing(),
    listening: { device: config, tracks, pauses: known.pauses },
    offsets: saved?.offsets ?? offsets,
    isUnsaved: false,
    late: saved?.late,
    written: new Map(),
  }
  // A state of other rules: they have changed while nobody evaluated.
  if (!isStateOf(state, unit.config)) noteLate(device, { fromMs: state.atMs, toMs: state.atMs })
  recalibrate(device, offsets)
  return device
}

/** What is to be stored of a device. */
export function savedDevice({ state, hearing, offsets, late }: DeviceContext): SavedDevice {
  return { readings: state, hearing, offsets, ...(late ? { late } : {}) }
}

/** Takes over its offsets; false: they are those by which it is judged already. */
export function recalibrate(device: DeviceContext, offsets: readonly Calibration[]): boolean {
  const changed = [...without(device.offsets, offsets), ...without(offsets, device.offsets)]
  if (changed.length === 0) return false
  device.offsets = offsets
  const fromMs = changed.reduce(
    (first, one) => Math.min(first, one.fromMs),
    device.view.newestAtMs ?? Infinity,
  )
  // Also where nothing is judged yet: its first readings may wait to be, without the offset.
  noteLate(device, { fromMs, toMs: device.view.newestAtMs ?? fromMs })
  return true
}

function without(some: readonly Calibration[], others: readonly Calibration[]): Calibration[] {
  const isOne = (a: Calibration) => (b: Calibration) =>
    a.fromMs === b.fromMs && a.offsetCenti === b.offsetCenti
  return some.filter((one) => !others.some(isOne(one)))
}

export function noteLate(device: DeviceContext, { fromMs, toMs }: Late): void {
  device.late = {
    fromMs: Math.min(device.late?.fromMs ?? fromMs, fromMs),
    toMs: Math.max(device.late?.toMs ?? toMs, toMs),
  }
}

/** With its trigger: a rule that has changed may raise what ended with its last version again, from the same start. */
export function episodeKey(episode: Episode): string {
  const { deviceId, ruleId, conditionType, startedAtMs, triggeredAtMs } = episode
  return `${deviceId} ${ruleId ?? ''} ${conditionType} ${startedAtMs} ${triggeredAtMs}`
}
