import { type DeviceState, type DeviceView, deviceView, type Judging, newDeviceState } from './core/device.ts'
import { type DoorTimeline, doorTimeline } from './core/doors.ts'
import type { DeviceConfig, DoorInput, Episode, UnitConfig } from './core/types.ts'

/** A device in a unit, with what its readings have come to. */
export interface DeviceContext {
  config: DeviceConfig
  state: DeviceState
  judging: Judging
  view: DeviceView
  /** The state has changed since it was stored. */
  isUnsaved: boolean
  /** Evaluation times of inputs that are not in the state because they came late; undefined: none. */
  late: { fromMs: number; toMs: number } | undefined
}

/** All that the evaluator holds of a unit. Whatever is in it can be read from the database again. */
export interface UnitContext {
  config: UnitConfig
  devices: Map<number, DeviceContext>
  /** In order of time; the oldest ones are forgotten while the door is closed. */
  doors: DoorInput[]
  timeline: DoorTimeline
  /** Raised episodes that have changed since they were written, by `episodeKey`. */
  changed: Map<string, Episode>
  /** Devices whose doors were heard since the last write, with the earliest such time. */
  doorsFromMs: number | undefined
  status: string
  lastReading: { atMs: number; temperatureCenti: number | null } | undefined
  /** At this time of our clock something may be due though nothing arrives. */
  dueAtMs: number
}

export function openUnit(
  config: UnitConfig,
  { states, doors, status }: { states: ReadonlyMap<number, DeviceState>; doors: DoorInput[]; status: string },
): UnitContext {
  const unit: UnitContext = {
    config,
    devices: new Map(),
    doors,
    timeline: doorTimeline(doors),
    changed: new Map(),
    doorsFromMs: undefined,
    status,
    lastReading: undefined,
    dueAtMs: Number.NEGATIVE_INFINITY,
  }
  for (const device of config.devices) {
    const state = states.get(device.deviceId) ?? newDeviceState()
    const judging: Judging = {
      unit: config,
      device,
      // Through the unit: its timeline is replaced when an event comes late.
      isDoorOpenAt: (atMs) => unit.timeline.isOpenAt(atMs),
    }
    const view = deviceView(state, judging)
    unit.devices.set(device.deviceId, {
      config: device,
      state,
      judging,
      view,
      isUnsaved: false,
      late: undefined,
    })
  }
  return unit
}

export function episodeKey({ deviceId, ruleId, conditionType, startedAtMs }: Episode): string {
  return `${deviceId} ${ruleId ?? ''} ${conditionType} ${startedAtMs}`
}
