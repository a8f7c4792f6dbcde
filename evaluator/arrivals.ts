import { applyInputs, isNewest, isOfTheClock, judgesByDoors } from './apply-inputs.ts'
import { isInOrder, isRaised } from './core/device.ts'
import type { Episode } from './core/types.ts'
import { mayWait } from './deferral.ts'
import { isFreshAndOut } from './paging/plan-alert.ts'
import { type DeviceContext, isOld, type UnitContext } from './unit-context.ts'
import type { Arrival } from './work.ts'

const INTERVAL_MS_DEFAULT = 300_000

/**
 * Takes messages of a unit into its states, one after the other, up to where what is known must be written before the next one
 * is judged, because that might take it away: a raised episode, a page. At least one. Returns how many, and how many of their
 * inputs belong to a device that the unit does not know.
 */
export function applyArrivals(
  unit: UnitContext,
  arrivals: readonly Arrival[],
  { nowMs, isDeferring }: { nowMs: number; isDeferring: boolean },
): { taken: number; unknown: number } {
  let taken = 0
  let unknown = 0
  for (const arrival of arrivals) {
    if (taken > 0 && (hasNews(unit, nowMs) || turnsBack(unit, arrival, isDeferring))) break
    unknown += applyInputs(unit, arrival)
    taken += 1
  }
  return { taken, unknown }
}

/**
 * Takes note that all of the unit is written, as of now. Returns whether a running episode has its first fresh reading that is
 * not good: its alert may page, though nothing of it has changed.
 */
export function noteWritten(unit: UnitContext, nowMs: number): boolean {
  let isDue = false
  for (const [key, episode] of unit.changed) {
    const device = unit.devices.get(episode.deviceId)
    if (!device || isOfTheClock(episode.conditionType)) continue
    if (episode.endedAtMs !== null) device.written.delete(key)
    else {
      const isFresh = isFreshlyOut(device, episode, nowMs)
      const before = device.written.get(key)
      if (isFresh && before === false) isDue = true
      device.written.set(key, isFresh || before === true)
    }
  }
  return isDue
}

/** Whether an episode was raised since the last write, or got its first fresh reading that is not good. */
function hasNews(unit: UnitContext, nowMs: number): boolean {
  for (const [key, episode] of unit.changed) {
    const device = unit.devices.get(episode.deviceId)
    if (!device || episode.endedAtMs !== null || isOfTheClock(episode.conditionType)) continue
    const before = device.written.get(key)
    if (before === undefined || (!before && isFreshlyOut(device, episode, nowMs))) return true
  }
  return false
}

function isFreshlyOut({ config, state }: DeviceContext, { newestIsGood }: Episode, nowMs: number): boolean {
  const intervalMs = config.intervalMs.at(-1)?.value ?? INTERVAL_MS_DEFAULT
  return isFreshAndOut({ newestMs: state.atMs, isGood: newestIsGood, intervalMs }, nowMs)
}

/**
 * Whether a message comes late for a device that has a raised episode, or goes on where another one came late: until that is
 * folded, what is in order cannot be judged. Where that has been put off already, it is judged with all that has come by then; and while
 * it is deferred, what may wait is not in order either.
 */
function turnsBack(unit: UnitContext, { readings, doors }: Arrival, isDeferring: boolean): boolean {
  for (const reading of readings) {
    const device = unit.devices.get(reading.deviceId)
    if (!device || device.isPutOff || isNewest(device, reading) || isOld(device, reading.atMs)) continue
    const isNext = isInOrder(device.state, reading)
    const isHeldUp = device.late && isNext && !(isDeferring && mayWait(unit, device))
    if (isHeldUp || (!device.late && !isNext && isRaised(device.state))) return true
  }
  if (doors.length === 0 || !judgesByDoors(unit)) return false
  const fromMs = doors.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Infinity)
  return [...unit.devices.values()].some(
    (device) => !device.late && device.state.atMs >= fromMs && isRaised(device.state),
  )
}
