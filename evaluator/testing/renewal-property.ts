import type { Random } from '../../simulators/random.ts'
import type { DeviceState } from '../core/device.ts'
import { type Fold, fold } from '../core/fold.ts'
import type { Machine } from '../core/machine.ts'
import type { Episode, Input, UnitConfig } from '../core/types.ts'
import { machinesOf } from '../core/versions.ts'
import { IncrementalUnit } from './incremental-unit.ts'

interface RenewalCheck {
  /** Parts of a device's readings that had a renewal, so that something could be compared. */
  renewed: number
  /** What differs from the fold of all readings, in words; null = nothing. */
  difference: string | null
}

/**
 * Folds the readings of each device from somewhere in the middle on: behind the first renewal that this part has, it must
 * say what a fold of all of them says.
 */
export function checkRenewals(
  random: Random,
  stream: { unit: UnitConfig; inputs: readonly Input[] },
): RenewalCheck {
  const { unit, inputs } = stream
  const evaluated = new IncrementalUnit(unit)
  for (const input of inputs) evaluated.add(input)
  let renewed = 0
  for (const { deviceId } of unit.devices) {
    const readings = evaluated.readingsOf(deviceId)
    if (readings.length === 0) continue
    const judging = evaluated.judging(deviceId)
    const all = fold(readings, judging)
    const from = random.integer(0, readings.length - 1)
    const part = fold(readings.slice(from), judging)
    if (part.renewals.length === 0) continue
    renewed += 1
    const difference = differenceOf(all, part)
    if (difference) return { renewed, difference: `device ${deviceId}, from reading ${from}: ${difference}` }
  }
  return { renewed, difference: null }
}

function differenceOf(all: Fold, part: Fold): string | null {
  const renewalMs = part.renewals[0] ?? 0
  const isRunning = all.episodes.some((episode) => isRaisedAt(episode, renewalMs))
  if (isRunning) return `an alert runs at ${renewalMs}, which is said to be a renewal`
  const later = (episodes: Episode[]) => episodes.filter(({ triggeredAtMs }) => triggeredAtMs > renewalMs)
  const found = JSON.stringify(later(part.episodes))
  const expected = JSON.stringify(later(all.episodes))
  if (found !== expected) return `behind ${renewalMs} it found ${found} and not ${expected}`
  const states = [part.state, all.state].map(comparable)
  return states[0] === states[1] ? null : `the state is ${states[0]} and not ${states[1]}`
}

function isRaisedAt({ triggeredAtMs, endedAtMs }: Episode, atMs: number): boolean {
  return triggeredAtMs <= atMs && (endedAtMs ?? Number.POSITIVE_INFINITY) > atMs
}

/** What is left over from an excursion that has ended has no meaning. */
function comparable(state: DeviceState): string {
  const tracks = state.tracks.map((track) => ({
    ...track,
    machine: null,
    later: null,
    machines: machinesOf(track).map(meaningOf),
  }))
  const hasBatteryRule = tracks.some(({ conditionType }) => conditionType === 'battery_below')
  return JSON.stringify({ ...state, batteryAtMs: hasBatteryRule ? state.batteryAtMs : null, tracks })
}

function meaningOf(machine: Machine): Partial<Machine> {
  const { phase, good, isOut, window, goodAtMs, ...excursion } = machine
  const always = { phase, good, isOut, window }
  if (phase === 'idle') return always
  if (phase === 'raised') return { ...always, ...excursion, ...(good > 0 ? { goodAtMs } : {}) }
  const { startedAtMs, confirmedMs, unknownMs, peakCenti, count } = excursion
  return { ...always, startedAtMs, confirmedMs, unknownMs, peakCenti, count }
}
