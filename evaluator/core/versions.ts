import { episodeOf } from './episode.ts'
import { type Machine, NEVER_MS, newMachine } from './machine.ts'
import type { ConditionType, Episode, RuleTrack } from './types.ts'

/** One rule on one device: a machine for each version that has not ended. Those to come see the past already. */
export interface TrackState {
  /** Of the track it belongs to, to tell a state of another configuration. */
  ruleId: number | null
  conditionType: ConditionType
  /** Index in the track's versions of the one that `machine` judges by; those before it have ended. */
  first: number
  /** Null where the condition is none of device readings, and after the last version. */
  machine: Machine | null
  /** Of the versions after that one. */
  later: Machine[]
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
  const [machine = null, ...later] = OF_READINGS.has(conditionType) ? versions.map(newMachine) : []
  return { ruleId, conditionType, first: 0, machine, later }
}

export function machinesOf({ machine, later }: TrackState): Machine[] {
  return machine ? [machine, ...later] : []
}

/** Whether versions are to come. Asked of the shared rule, which is at hand: most states have an empty list to look at. */
export function hasLater({ first }: TrackState, versions: RuleTrack['versions']): boolean {
  return first + 1 < versions.length
}

/**
 * Leaves the versions behind that ended up to this time. A raised alert goes on under the next version if that one follows
 * without a hole and its own state there is not idle; it keeps the version and the severity that triggered it, and the
 * evidence. Else it ends with its version, and is told. The time from the last reading to that instant is not counted:
 * nothing proves it. The next version's own state knows no alert, as it could not trigger before: one good reading under it,
 * the newest, makes it idle, and so ends the alert.
 */
export function leaveVersions(
  state: TrackState,
  { deviceId, track, atMs }: { deviceId: number; track: RuleTrack; atMs: number },
  ended: Episode[],
): void {
  for (;;) {
    const version = track.versions[state.first]
    const { machine } = state
    if (!machine || !version || version.toMs > atMs) return
    state.machine = state.later.shift() ?? null
    state.first += 1
    if (machine.phase !== 'raised') continue
    const following = track.versions[state.first]
    if (following && following.fromMs <= version.toMs && state.machine && state.machine.phase !== 'idle') {
      inherit(state.machine, machine)
    } else {
      const ending = { endedAtMs: version.toMs, resolution: 'rule_changed' } as const
      ended.push(episodeOf(machine, { deviceId, track }, ending))
    }
  }
}

/** The machine of the version in force; null where there is none. To be asked when the others have been left. */
export function machineInForce(
  { versions }: RuleTrack,
  { first, machine }: TrackState,
  atMs: number,
): Machine | null {
  const version = versions[first]
  return version && version.fromMs <= atMs ? machine : null
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
