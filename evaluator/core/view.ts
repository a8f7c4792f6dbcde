import { type DeviceState, isInsideLimits, type Judging } from './device.ts'
import { isInside, NEVER_MS } from './machine.ts'
import type { RuleTrack } from './types.ts'
import { machineInForce, type TrackState } from './versions.ts'

/** What paging and the status of a unit need to know of a device. */
export interface DeviceView {
  /** Evaluation time of the newest reading; null = there is none. */
  newestAtMs: number | null
  /** The newest one that is known. */
  temperatureCenti: number | null
  /** Whether it is inside every rule of temperature: in the band of hysteresis too, if it was never beyond. */
  isGood: boolean
  /** Beyond a rule of temperature that has not raised an alert. */
  isPending: boolean
  /** A rule of temperature has raised an alert that runs. */
  isRaisedAlarm: boolean
  /** Consecutive good readings up to the newest temperature, without a gap between: at most 2, and 1 where a rule has not judged it. */
  goodInARow: number
}

/** As of the newest reading, by the rules in force since. */
export function deviceView(state: DeviceState, { unit }: Judging): DeviceView {
  const asOfMs = Math.max(state.atMs, state.versionsToMs)
  let isGood = state.temperatureCenti !== null
  let isPending = false
  let isRaisedAlarm = false
  let isKnown = true
  for (let index = 0; index < unit.tracks.length; index += 1) {
    const track = unit.tracks[index]
    if (track?.alertType !== 'alarm_active') continue
    const trackState = stateOfTrack(state, track, index)
    if (!trackState) {
      isKnown = false
      continue
    }
    const machine = machineInForce(track, trackState, asOfMs)
    isGood &&= isInside(machine)
    isPending ||= machine?.phase === 'pending'
    isRaisedAlarm ||= machine?.phase === 'raised'
  }
  const isInOrder = isGood && isInsideLimits(state.temperatureCenti, unit)
  return {
    newestAtMs: state.atMs === NEVER_MS ? null : state.atMs,
    temperatureCenti: state.temperatureCenti,
    isGood,
    isPending,
    isRaisedAlarm,
    // A rule that has changed since may see the newest reading otherwise.
    goodInARow: isInOrder ? Math.max(isKnown ? state.goodInARow : 1, 1) : 0,
  }
}

/** Usually at its place. A state of other rules has it elsewhere, or, of a new one, not at all until it is folded again. */
function stateOfTrack({ tracks }: DeviceState, track: RuleTrack, index: number): TrackState | undefined {
  const here = tracks[index]
  return here && isOf(here, track) ? here : tracks.find((one) => isOf(one, track))
}

function isOf(state: TrackState, { ruleId, conditionType }: RuleTrack): boolean {
  return state.ruleId === ruleId && state.conditionType === conditionType
}
