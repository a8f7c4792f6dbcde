import { episodeOf } from './episode.ts'
import { type Machine, NEVER_MS, newMachine } from './machine.ts'
import type { ConditionType, Episode, RuleTrack } from './types.ts'

/** One rule on one device: a machine for the version in force, and for each one to come, which sees the past already. */
export interface TrackState {
  /** Of the track it belongs to, to tell a state of another configuration. */
  ruleId: number | null
  conditionType: ConditionType
  /** Index in the track's versions of what `machines[0]` judges; those before it have ended. */
  first: number
  /** Empty where the condition is none of device readings, and after the last version. */
  machines: Machine[]
}

const OF_READINGS: ReadonlySet<ConditionType> = new Set<ConditionType>([
  'temperature_above',
  'temperature_below',
  'temperature_cumulative',
  'temperature_n_of_m',
  'rate_of_change',
  'battery_below',
  'sensor_fault',
])

export function newTrackState({ ruleId, conditionType, versions }: RuleTrack): TrackState {
  const machines = OF_READINGS.has(conditionType) ? versions.map(newMachine) : []
  return { ruleId, conditionType, first: 0, machines }
}

/**
 * Leaves the versions behind that ended up to this time. A raised alert goes on under the next version if that one follows
 * without a hole and its own state there is not idle; it keeps the version and the severity that triggered it, and the
 * evidence. Else it ends with its version: the returned episodes. The time from the last reading to that instant is not
 * counted: nothing proves it.
 */
export function leaveVersions(
  state: TrackState,
  { deviceId, track, atMs }: { deviceId: number; track: RuleTrack; atMs: number },
): Episode[] {
  const ended: Episode[] = []
  for (;;) {
    const version = track.versions[state.first]
    if (!version || version.toMs > atMs || state.machines.length === 0) return ended
    const machine = state.machines.shift()
    state.first += 1
    if (machine?.phase !== 'raised') continue
    const following = track.versions[state.first]
    const heir = state.machines[0]
    if (heir && heir.phase !== 'idle' && following && following.fromMs <= version.toMs) inherit(heir, machine)
    else {
      const ending = { endedAtMs: version.toMs, resolution: 'rule_changed' } as const
      ended.push(episodeOf(machine, { deviceId, track }, ending))
    }
  }
}

/** The machine of the version in force; undefined where there is none. To be asked when the others have been left. */
export function machineInForce(
  { versions }: RuleTrack,
  { first, machines }: TrackState,
  atMs: number,
): Machine | undefined {
  const version = versions[first]
  return version && version.fromMs <= atMs ? machines[0] : undefined
}

/** The last time at which a version begins or ends. Versions come from history, so it has passed. */
export function lastChangeMs({ versions }: RuleTrack): number {
  const times = versions.flatMap(({ fromMs, toMs }) => [fromMs, toMs]).filter(Number.isFinite)
  return Math.max(NEVER_MS, ...times)
}

/** What was raised goes on; what the newest reading is, the new version says. */
function inherit(heir: Machine, raised: Machine): void {
  heir.phase = 'raised'
  heir.startedAtMs = raised.startedAtMs
  heir.confirmedMs = raised.confirmedMs
  heir.unknownMs = raised.unknownMs
  heir.peakCenti = raised.peakCenti
  heir.triggeredAtMs = raised.triggeredAtMs
  heir.triggerCenti = raised.triggerCenti
  heir.limitCenti = raised.limitCenti
  heir.version = raised.version
  heir.severity = raised.severity
}
