import type { AlertFacts, Condition, ConditionType, Episode, RuleTrack, UnitConfig } from './types.ts'

/** What devices of a unit share: an excursion of two of them at once is one alert. */
const SHARED: ReadonlySet<ConditionType> = new Set<ConditionType>([
  'temperature_above',
  'temperature_below',
  'temperature_cumulative',
  'temperature_n_of_m',
  'rate_of_change',
  'door_open',
])

/**
 * The alerts that the episodes of one rule in one unit make, in order of their start: for temperature and doors the union of
 * those that overlap or touch, else one for each device and episode.
 */
export function mergeEpisodes(
  unit: Pick<UnitConfig, 'unitId'>,
  track: RuleTrack,
  episodes: readonly Episode[],
): AlertFacts[] {
  const ordered = [...episodes].sort((a, b) => a.startedAtMs - b.startedAtMs || a.deviceId - b.deviceId)
  const isShared = SHARED.has(track.conditionType)
  const groups = isShared ? overlapping(ordered) : ordered.map((episode) => [episode])
  return groups.map((group) => ({
    ...factsOf(group, track),
    unitId: unit.unitId,
    deviceId: isShared ? null : (group[0] as Episode).deviceId,
  }))
}

function overlapping(ordered: readonly Episode[]): Episode[][] {
  const groups: Episode[][] = []
  let endMs = -Infinity
  for (const episode of ordered) {
    const isApart = episode.startedAtMs > endMs
    if (isApart) groups.push([episode])
    else groups.at(-1)?.push(episode)
    endMs = Math.max(isApart ? -Infinity : endMs, endOf(episode))
  }
  return groups
}

function factsOf(group: readonly Episode[], track: RuleTrack): Omit<AlertFacts, 'unitId' | 'deviceId'> {
  const first = best(group, (a, b) => a.triggeredAtMs - b.triggeredAtMs || a.deviceId - b.deviceId)
  // Two that end at once: one whose rule ended has not recovered.
  const last = best(group, (a, b) => endOf(b) - endOf(a) || rankOf(a) - rankOf(b))
  const proven = best(group, (a, b) => b.confirmedMs - a.confirmedMs || b.unknownMs - a.unknownMs)
  return {
    hubId: null,
    ruleId: track.ruleId,
    ruleVersion: first.ruleVersion,
    conditionType: track.conditionType,
    alertType: track.alertType,
    severity: first.severity,
    startedAtMs: Math.min(...group.map(({ startedAtMs }) => startedAtMs)),
    triggeredAtMs: first.triggeredAtMs,
    endedAtMs: last.endedAtMs,
    resolution: last.resolution,
    triggerCenti: first.triggerCenti,
    limitCenti: first.limitCenti,
    peakCenti: worst(group, isDownwards(track, first.ruleVersion)),
    confirmedMs: proven.confirmedMs,
    unknownMs: proven.unknownMs,
  }
}

function best(group: readonly Episode[], order: (a: Episode, b: Episode) => number): Episode {
  return group.reduce((found, episode) => (order(episode, found) < 0 ? episode : found))
}

function worst(group: readonly Episode[], isDown: boolean): number | null {
  const peaks = group.flatMap(({ peakCenti }) => peakCenti ?? [])
  if (peaks.length === 0) return null
  return isDown ? Math.min(...peaks) : Math.max(...peaks)
}

function isDownwards(track: RuleTrack, version: number): boolean {
  const condition = track.versions.find((one) => one.version === version)?.condition
  return condition !== undefined && isLowWorse(condition)
}

/** A change of temperature counts by its size, whichever its direction. */
function isLowWorse(condition: Condition): boolean {
  if (condition.type === 'temperature_below' || condition.type === 'battery_below') return true
  return 'direction' in condition && condition.direction === 'below'
}

function rankOf({ resolution }: Episode): number {
  return resolution === 'rule_changed' ? 0 : 1
}

function endOf({ endedAtMs }: Episode): number {
  return endedAtMs ?? Infinity
}
