import { episodeOf } from './episode.ts'
import { judgeJump, judgeReported, judgeStuck } from './fault.ts'
import { becomeIdle, isInside, type Machine, type Moment, NEVER_MS } from './machine.ts'
import { type Judged, judgeBattery, judgeLimit } from './threshold.ts'
import type { DeviceConfig, Episode, ReadingInput, RuleVersion, UnitConfig } from './types.ts'
import { leaveVersions, machineInForce, newTrackState, type TrackState } from './versions.ts'
import { judgeWindow, WINDOW_READINGS_MAX } from './windowed.ts'

/**
 * All that is known of a device in a unit after its readings so far, in O(1). Can be written as JSON. A cache: it belongs
 * to the configuration it was folded with, and is folded from rows again when that changes (`isStateOf`).
 */
export interface DeviceState {
  /** Beside those of the unit's configuration; empty before the first reading. */
  tracks: TrackState[]
  /** Of the newest reading: what comes must be after it. */
  atMs: number
  recordedAtMs: number
  /** Up to here, the versions of rules have passed: those that ended have been left behind. */
  versionsToMs: number
  /** Of the newest reading with a temperature. */
  temperatureAtMs: number
  temperatureCenti: number | null
  /** Of the newest reading with a battery. */
  batteryAtMs: number
  /**
   * Consecutive readings inside every rule of temperature and the limits of the unit, up to the newest and without a gap
   * between: at most 2.
   */
  goodInARow: number
  /** A window of a rule holds more readings than a state may: nothing is in order, each reading is judged from rows. */
  isOverfull: boolean
}

export function newDeviceState(): DeviceState {
  return {
    tracks: [],
    atMs: NEVER_MS,
    recordedAtMs: NEVER_MS,
    versionsToMs: NEVER_MS,
    temperatureAtMs: NEVER_MS,
    temperatureCenti: null,
    batteryAtMs: NEVER_MS,
    goodInARow: 0,
    isOverfull: false,
  }
}

/** By what the readings of a device are judged. */
export interface Judging {
  unit: UnitConfig
  device: DeviceConfig
  /** At the time of a reading, by the doors of the unit; unknown = closed. */
  isDoorOpenAt(atMs: number): boolean
}

/** Whether `step` may take this reading next. If not, the device is to be folded from rows. */
export function isInOrder(state: DeviceState, { atMs, recordedAtMs }: ReadingInput): boolean {
  if (state.isOverfull || atMs < state.versionsToMs) return false
  return atMs > state.atMs || (atMs === state.atMs && recordedAtMs > state.recordedAtMs)
}

/** Whether a state is of these rules and versions, as far as it tells. Of another one it must be folded again. */
export function isStateOf({ tracks }: DeviceState, { tracks: rules }: UnitConfig): boolean {
  if (tracks.length === 0) return true
  if (tracks.length !== rules.length) return false
  return tracks.every(({ ruleId, conditionType, first, machines }, index) => {
    const rule = rules[index]
    if (rule?.ruleId !== ruleId || rule.conditionType !== conditionType) return false
    return machines.length === 0 || first + machines.length === rule.versions.length
  })
}

const NONE: readonly Episode[] = []

/**
 * Judges the device's next reading, which must be in order. Changes the state. Returns the raised episodes that it opened,
 * went on with or ended; those that run are as of now.
 */
export function step(state: DeviceState, input: ReadingInput, judging: Judging): readonly Episode[] {
  let found: Episode[] | undefined
  const { deviceId } = input
  advance(state, input, judging, (episode) => {
    found ??= []
    found.push(episode)
  })
  for (const [index, { machines }] of state.tracks.entries()) {
    const track = judging.unit.tracks[index]
    if (machines[0]?.phase !== 'raised' || !track) continue
    found ??= []
    found.push(episodeOf(machines[0], { deviceId, track }, null))
  }
  limitWindows(state)
  return found ?? NONE
}

/** The same, but only ended episodes are told, and windows may grow: for folds. */
export function advance(
  state: DeviceState,
  input: ReadingInput,
  judging: Judging,
  onEnded: (episode: Episode) => void,
): void {
  const { tracks } = judging.unit
  if (state.tracks.length === 0) state.tracks = tracks.map(newTrackState)
  const reading = lookAt(state, input, judging)
  let isGood = isInsideLimits(input.temperatureCenti, judging.unit)
  for (let index = 0; index < tracks.length; index += 1) {
    const track = tracks[index]
    const trackState = state.tracks[index]
    if (!track || !trackState || trackState.machines.length === 0) continue
    for (const episode of leaveVersions(trackState, { deviceId: input.deviceId, track, atMs: input.atMs })) {
      onEnded(episode)
    }
    for (let ahead = 0; ahead < trackState.machines.length; ahead += 1) {
      const machine = trackState.machines[ahead]
      const version = track.versions[trackState.first + ahead]
      if (!machine || !version) continue
      const endedAtMs = judge(machine, version, reading)
      if (endedAtMs === null) continue
      const ending = { endedAtMs, resolution: 'recovered' } as const
      onEnded(episodeOf(machine, { deviceId: input.deviceId, track }, ending))
      becomeIdle(machine)
    }
    isGood &&= track.alertType !== 'alarm_active' || isInside(machineInForce(track, trackState, input.atMs))
  }
  remember(state, reading, isGood)
}

/** A unit shows an excursion beyond its own limits also where a rule that covers them allows more. */
export function isInsideLimits(centi: number | null, { tempMinCenti, tempMaxCenti }: UnitConfig): boolean {
  return centi === null || (centi >= (tempMinCenti ?? -Infinity) && centi <= (tempMaxCenti ?? Infinity))
}

/** A reading as each of the device's series sees it. */
interface Look {
  input: ReadingInput
  previousCenti: number | null
  all: Moment
  temperature: Moment
  battery: Moment
  isDoorOpenAt(atMs: number): boolean
}

function lookAt(state: DeviceState, input: ReadingInput, judging: Judging): Look {
  const { atMs } = input
  const gapMs = 2 * intervalAt(judging.device, atMs)
  return {
    input,
    previousCenti: state.temperatureCenti,
    all: momentAfter(state.atMs, atMs, gapMs),
    temperature: momentAfter(state.temperatureAtMs, atMs, gapMs),
    battery: momentAfter(state.batteryAtMs, atMs, gapMs),
    isDoorOpenAt: judging.isDoorOpenAt,
  }
}

function momentAfter(previousAtMs: number, atMs: number, gapMs: number): Moment {
  const elapsedMs = atMs - previousAtMs
  return { atMs, elapsedMs, isGap: elapsedMs > gapMs }
}

function intervalAt({ intervalMs }: DeviceConfig, atMs: number): number {
  let value = intervalMs[0]?.value ?? INTERVAL_MS
  for (let index = 1; index < intervalMs.length; index += 1) {
    const next = intervalMs[index]
    if (!next || next.fromMs > atMs) break
    value = next.value
  }
  return value
}

/** Of a device that has none. */
const INTERVAL_MS = 300_000

/** Returns when a raised alert ended, else null. */
function judge(machine: Machine, version: RuleVersion, reading: Look): number | null {
  const { condition } = version
  const { input } = reading
  const { temperatureCenti: centi } = input
  switch (condition.type) {
    case 'temperature_above':
    case 'temperature_below':
      return centi === null
        ? null
        : judgeLimit(machine, condition, centi, judgedBy(version, reading, 'temperature'))
    case 'temperature_cumulative':
    case 'temperature_n_of_m':
    case 'rate_of_change':
      return centi === null
        ? null
        : judgeWindow(machine, condition, centi, judgedBy(version, reading, 'temperature'))
    case 'battery_below':
      if (input.battery === null) return null
      return judgeBattery(machine, condition, input.battery, judgedBy(version, reading, 'battery'))
    case 'sensor_fault': {
      if (condition.kind === 'fault') {
        return judgeReported(machine, condition, input.fault !== null, judgedBy(version, reading, 'all'))
      }
      if (centi === null) return null
      const step = { centi, previousCenti: reading.previousCenti }
      const judged = judgedBy(version, reading, 'temperature')
      return condition.kind === 'stuck'
        ? judgeStuck(machine, condition, step, judged)
        : judgeJump(machine, condition, step, judged)
    }
    default:
      return null
  }
}

function judgedBy(version: RuleVersion, reading: Look, series: 'all' | 'temperature' | 'battery'): Judged {
  const { atMs, receivedAtMs } = reading.input
  const { by, fromMs } = version.triggers
  const mayTrigger = atMs >= version.fromMs && (by === 'at' ? atMs : receivedAtMs) >= fromMs
  return { moment: reading[series], version, mayTrigger, isDoorOpenAt: reading.isDoorOpenAt }
}

function remember(state: DeviceState, { input, temperature }: Look, isGood: boolean): void {
  state.atMs = input.atMs
  state.recordedAtMs = input.recordedAtMs
  if (input.battery !== null) state.batteryAtMs = input.atMs
  if (input.temperatureCenti === null) return
  state.temperatureAtMs = input.atMs
  state.temperatureCenti = input.temperatureCenti
  if (!isGood) state.goodInARow = 0
  else state.goodInARow = state.goodInARow > 0 && !temperature.isGap ? 2 : 1
}

/** To be called when the readings of a fold are over. */
export function limitWindows(state: DeviceState): void {
  for (const { machines } of state.tracks) {
    for (const machine of machines) {
      if (machine.window.length <= WINDOW_READINGS_MAX) continue
      machine.window = []
      state.isOverfull = true
    }
  }
}
