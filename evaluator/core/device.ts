import { episodeOf } from './episode.ts'
import { type Before, judge, type Reading, readingAfter } from './judge.ts'
import { becomeIdle, type Doors, isInside, type Machine, NEVER_MS } from './machine.ts'
import type { DeviceConfig, Episode, ReadingInput, RuleTrack, UnitConfig } from './types.ts'
import {
  hasLater,
  lastChangeMs,
  leaveVersions,
  machineInForce,
  machinesOf,
  newTrackState,
  type TrackState,
} from './versions.ts'
import { WINDOW_READINGS_MAX } from './windowed.ts'

/**
 * All that is known of a device in a unit after its readings so far, in O(1). Can be written as JSON. A cache: it belongs
 * to the configuration it was folded with, and is folded from rows again when that changes (`isStateOf`).
 */
export interface DeviceState extends Before {
  /** Beside those of the unit's configuration; empty before the first reading. */
  tracks: TrackState[]
  /** Of the newest reading. What comes must be after it. */
  recordedAtMs: number
  /** Up to here, the versions of rules have passed: those that ended have been left behind. */
  versionsToMs: number
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
export interface Judging extends Doors {
  unit: UnitConfig
  device: DeviceConfig
}

/** Whether `step` may take this reading next. If not, the device is to be folded from rows. */
export function isInOrder(state: DeviceState, { atMs, recordedAtMs }: ReadingInput): boolean {
  if (state.isOverfull || atMs < state.versionsToMs) return false
  return atMs > state.atMs || (atMs === state.atMs && recordedAtMs > state.recordedAtMs)
}

/** Whether a state is of these rules and versions, as far as it tells. Of another one it must be folded again. */
export function isStateOf(
  { tracks, atMs, versionsToMs }: DeviceState,
  { tracks: rules }: UnitConfig,
): boolean {
  if (tracks.length === 0) return true
  if (tracks.length !== rules.length) return false
  const knownToMs = Math.max(atMs, versionsToMs)
  if (rules.some((rule) => lastChangeMs(rule) > knownToMs)) return false
  return tracks.every((track, index) => {
    const rule = rules[index]
    if (rule?.ruleId !== track.ruleId || rule.conditionType !== track.conditionType) return false
    const isOfReadings = track.machine !== null || track.first > 0
    return !isOfReadings || track.first + machinesOf(track).length === rule.versions.length
  })
}

/** Whether a rule of readings has raised an alert that runs. */
export function isRaised({ tracks }: DeviceState): boolean {
  return tracks.some(({ machine }) => machine?.phase === 'raised')
}

/**
 * Judges the device's next reading, which must be in order. Changes the state. Returns the raised episodes that it opened,
 * went on with or ended; those that run are as of now.
 */
export function step(state: DeviceState, input: ReadingInput, judging: Judging): readonly Episode[] {
  const found: Episode[] = []
  const { deviceId } = input
  advance(state, input, judging, found)
  for (let index = 0; index < state.tracks.length; index += 1) {
    const machine = state.tracks[index]?.machine
    const track = judging.unit.tracks[index]
    if (machine?.phase !== 'raised' || !track) continue
    found.push(episodeOf(machine, { deviceId, track }, null))
  }
  limitWindows(state, judging.unit)
  return found
}

/** The same, but only ended episodes are told, added to `ended`, and windows may grow: for folds. */
export function advance(state: DeviceState, input: ReadingInput, judging: Judging, ended: Episode[]): void {
  const { tracks } = judging.unit
  if (state.tracks.length === 0) state.tracks = tracks.map(newTrackState)
  const reading = readingAfter(state, input, judging)
  let isGood = isInsideLimits(input.temperatureCenti, judging.unit)
  for (let index = 0; index < tracks.length; index += 1) {
    const track = tracks[index]
    const trackState = state.tracks[index]
    if (!track || !trackState?.machine) continue
    leaveVersions(trackState, { deviceId: input.deviceId, track, atMs: input.atMs }, ended)
    judgeTrack(trackState, track, reading, ended)
    isGood &&= track.alertType !== 'alarm_active' || isInside(machineInForce(track, trackState, input.atMs))
  }
  remember(state, reading, isGood)
}

/** A unit shows an excursion beyond its own limits also where a rule that covers them allows more. */
export function isInsideLimits(centi: number | null, { tempMinCenti, tempMaxCenti }: UnitConfig): boolean {
  return centi === null || (centi >= (tempMinCenti ?? -Infinity) && centi <= (tempMaxCenti ?? Infinity))
}

/** By the version in force, or the next one to come, and by those after it, which cannot have raised anything. */
function judgeTrack(state: TrackState, track: RuleTrack, reading: Reading, ended: Episode[]): void {
  const { machine, first } = state
  const version = track.versions[first]
  if (!machine || !version) return
  const endedAtMs = judge(machine, version, reading)
  if (endedAtMs !== null) {
    const ending = { endedAtMs, resolution: 'recovered' } as const
    ended.push(episodeOf(machine, { deviceId: reading.input.deviceId, track }, ending))
    becomeIdle(machine)
  }
  if (!hasLater(state, track.versions)) return
  for (const [index, later] of state.later.entries()) {
    const laterVersion = track.versions[first + 1 + index]
    if (laterVersion) judge(later, laterVersion, reading)
  }
}

function remember(state: DeviceState, { input, temperature }: Reading, isGood: boolean): void {
  state.atMs = input.atMs
  state.recordedAtMs = input.recordedAtMs
  if (input.battery !== null) state.batteryAtMs = input.atMs
  if (!temperature) return
  state.temperatureAtMs = input.atMs
  state.temperatureCenti = temperature.centi
  if (!isGood) state.goodInARow = 0
  else state.goodInARow = state.goodInARow > 0 && !temperature.isGap ? 2 : 1
}

/** A state must stay small: with too many readings in a window it is given up, and its device is judged from rows. */
export function limitWindows(state: DeviceState, { tracks }: UnitConfig): void {
  for (let index = 0; index < tracks.length; index += 1) {
    const track = state.tracks[index]
    const versions = tracks[index]?.versions
    if (!track?.machine || !versions) continue
    if (isOverfull(track.machine)) state.isOverfull = true
    if (hasLater(track, versions) && track.later.some(isOverfull)) state.isOverfull = true
  }
  if (!state.isOverfull) return
  for (const machine of state.tracks.flatMap(machinesOf)) machine.window = null
}

function isOverfull({ window }: Machine): boolean {
  return window !== null && window.length > WINDOW_READINGS_MAX
}
