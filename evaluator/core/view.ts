import { type DeviceState, isInsideTrack, type Judging } from './device.ts'
import { NEVER_MS } from './machine.ts'

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

export function deviceView(state: DeviceState, { unit }: Judging): DeviceView {
  let isGood = state.temperatureCenti !== null
  let isPending = false
  let isRaisedAlarm = false
  for (const [index, trackState] of state.tracks.entries()) {
    const track = unit.tracks[index]
    if (track?.alertType !== 'alarm_active') continue
    isGood &&= isInsideTrack(track, trackState, state.atMs)
    isPending ||= trackState.machines[0]?.phase === 'pending'
    isRaisedAlarm ||= trackState.machines[0]?.phase === 'raised'
  }
  return {
    newestAtMs: state.atMs === NEVER_MS ? null : state.atMs,
    temperatureCenti: state.temperatureCenti,
    isGood,
    isPending,
    isRaisedAlarm,
    goodInARow: state.goodInARow,
  }
}
