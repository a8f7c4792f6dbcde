import type { DeviceState, Judging } from './device.ts'
import type { Machine } from './machine.ts'
import type { Condition, ReadingInput, RuleTrack } from './types.ts'
import { machinesOf } from './versions.ts'

/** How far back the temperatures of a fold reach. */
interface Reach {
  firstAtMs: number
  /** Of the temperature before the newest one. */
  previousAtMs: number
  newestAtMs: number
  /** Of temperatures. */
  count: number
}

/**
 * Tells, after each reading of a fold, whether it is a renewal (see `Fold`): every rule has settled, that is, it has been
 * found in a state that is the same whatever was before the first reading; nothing is raised or pending; and the newest two
 * readings are good for every rule of temperature. Versions to come count too: they see the past.
 */
export function renewalFinder({
  unit: { tracks },
  device,
}: Judging): (state: DeviceState, reading: ReadingInput) => boolean {
  const settled = new Set<Machine>()
  const reach: Reach = { firstAtMs: 0, previousAtMs: 0, newestAtMs: 0, count: 0 }
  return (state, reading) => {
    if (reading.temperatureCenti !== null) extendReach(reach, reading.atMs)
    // How many readings were good in a row takes two of them to know, also where no rule looks at them.
    let isRenewal = reach.count > 1 || !device.hasTemperature
    for (const [index, trackState] of state.tracks.entries()) {
      const track = tracks[index]
      for (const [ahead, machine] of machinesOf(trackState).entries()) {
        const condition = track?.versions[trackState.first + ahead]?.condition
        if (!track || !condition) continue
        const isSettling = machine.good === 2 && isCovered(condition, reach)
        if (isSettling) settled.add(machine)
        isRenewal &&=
          machine.phase === 'idle' && (isSettling || (settled.has(machine) && !isOfTemperature(track)))
      }
    }
    return isRenewal
  }
}

function extendReach(reach: Reach, atMs: number): void {
  reach.count += 1
  if (reach.count === 1) reach.firstAtMs = atMs
  reach.previousAtMs = reach.newestAtMs
  reach.newestAtMs = atMs
}

function isOfTemperature({ alertType }: RuleTrack): boolean {
  return alertType === 'alarm_active'
}

/** Whether the windows of the newest two temperatures hold nothing from before the first one. */
function isCovered(condition: Condition, { firstAtMs, previousAtMs, count }: Reach): boolean {
  switch (condition.type) {
    case 'temperature_cumulative':
    case 'rate_of_change':
      return previousAtMs - condition.windowMs > firstAtMs
    case 'temperature_n_of_m':
      return count > condition.m
    default:
      return true
  }
}
