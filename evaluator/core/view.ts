import { type DeviceState, isInsideLimits, type Judging } from './device.ts'
import { isInside, NEVER_MS } from './machine.ts'
import { machineInForce } from './versions.ts'

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
  /** Consecutive good readings up to the newest temperature, without a gap between: at most 2. */
  goodInARow: number
}

/** As of the newest reading, by the rules in force since. */
export function deviceView(state: DeviceState, { unit }: Judging): DeviceView {
  const asOfMs = Math.max(state.atMs, state.versionsToMs)
  let isGood = state.temperatureCenti !== null
  let isPending = false
  let isRaisedAlarm = false
  for (let index = 0; index < unit.tracks.length; index += 1) {
    const track = unit.tracks[index]
    const trackState = state.tracks[index]
    if (!trackState || track?.alertType !== 'alarm_active') continue
    const machine = machineInForce(track, trackState, asOfMs)
    isGood &&= isInside(machine)
    isPending ||= machine?.phase === 'pending'
    isRaisedAlarm ||= machine?.phase === 'raised'
  }
  return {
    newestAtMs: state.atMs === NEVER_MS ? null : state.atMs,
    temperatureCenti: state.temperatureCenti,
    isGood,
    isPending,
    isRaisedAlarm,
    // A rule that has changed since may see the newest reading otherwise.
    goodInARow: isGood && isInsideLimits(state.temperatureCenti, unit) ? Math.max(state.goodInARow, 1) : 0,
  }
}
