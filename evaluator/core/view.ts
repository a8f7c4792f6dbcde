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
  const machines = unit.tracks.flatMap((track, index) => {
    const trackState = track.alertType === 'alarm_active' ? state.tracks[index] : undefined
    return (trackState && machineInForce(track, trackState, asOfMs)) ?? []
  })
  const isGood = state.temperatureCenti !== null && machines.every(isInside)
  return {
    newestAtMs: state.atMs === NEVER_MS ? null : state.atMs,
    temperatureCenti: state.temperatureCenti,
    isGood,
    isPending: machines.some(({ phase }) => phase === 'pending'),
    isRaisedAlarm: machines.some(({ phase }) => phase === 'raised'),
    // A rule that has changed since may see the newest reading otherwise.
    goodInARow: isGood && isInsideLimits(state.temperatureCenti, unit) ? Math.max(state.goodInARow, 1) : 0,
  }
}
