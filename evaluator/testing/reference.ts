import type { AlertFacts, Condition, Episode, Input, RuleTrack, UnitConfig } from '../core/types.ts'
import { isDoorOpenAt, referenceDoorEpisodes } from './reference-doors.ts'
import { referenceEpisodes } from './reference-episodes.ts'

/** Alerts about one device each: their episodes are not joined. */
const BY_DEVICE: ReadonlySet<string> = new Set(['battery_below', 'sensor_fault'])

interface About {
  unitId: number
  track: RuleTrack
}

/**
 * The alerts that a unit's readings and doors must have raised, from all inputs at once, in any order: written from the
 * specification alone and in the most plain way, so that the evaluator can be compared with it. Doors are judged up to
 * `judgedToMs`.
 */
export function referenceAlerts(
  inputs: readonly Input[],
  unit: UnitConfig,
  judgedToMs: number,
): AlertFacts[] {
  const readings = inputs.filter((input) => input.kind === 'reading')
  const doors = inputs.filter((input) => input.kind === 'door')
  return unit.tracks.flatMap((track) => {
    const episodes = unit.devices.flatMap((device) => [
      ...referenceEpisodes(ofDevice(readings, device.deviceId), {
        device,
        track,
        isDoorOpenAt: (atMs) => isDoorOpenAt(doors, atMs),
      }),
      ...referenceDoorEpisodes(ofDevice(doors, device.deviceId), track, judgedToMs),
    ])
    return joinEpisodes(episodes, { unitId: unit.unitId, track })
  })
}

/** Episodes of one rule: those of a unit that overlap or touch are one alert. */
function joinEpisodes(episodes: readonly Episode[], about: About): AlertFacts[] {
  const groups: Episode[][] = []
  for (const episode of episodes.toSorted((a, b) => a.startedAtMs - b.startedAtMs)) {
    const group = BY_DEVICE.has(episode.conditionType)
      ? undefined
      : groups.find((others) => others.some((other) => endMs(other) >= episode.startedAtMs))
    if (group) group.push(episode)
    else groups.push([episode])
  }
  return groups.map((group) => factsOf(group, about))
}

function factsOf(group: readonly Episode[], { unitId, track }: About): AlertFacts {
  const first = group.toSorted((a, b) => a.triggeredAtMs - b.triggeredAtMs || a.deviceId - b.deviceId)[0]
  // Of two that end at once, one whose rule ended has not recovered.
  const isRecovered = ({ resolution }: Episode) => Number(resolution === 'recovered')
  const last = group.toSorted((a, b) => endMs(b) - endMs(a) || isRecovered(a) - isRecovered(b))[0]
  const longest = group.toSorted((a, b) => b.confirmedMs - a.confirmedMs || b.unknownMs - a.unknownMs)[0]
  if (!first || !last || !longest) throw new Error('a group of episodes is never empty')
  const { ruleId, ruleVersion, conditionType, severity, triggeredAtMs, triggerCenti, limitCenti } = first
  return {
    unitId,
    hubId: null,
    deviceId: BY_DEVICE.has(conditionType) ? first.deviceId : null,
    ruleId,
    ruleVersion,
    conditionType,
    alertType: track.alertType,
    severity,
    startedAtMs: Math.min(...group.map((episode) => episode.startedAtMs)),
    triggeredAtMs,
    endedAtMs: last.endedAtMs,
    resolution: last.resolution,
    triggerCenti,
    limitCenti,
    peakCenti: peakOf(group, track),
    confirmedMs: longest.confirmedMs,
    unknownMs: longest.unknownMs,
  }
}

function peakOf(group: readonly Episode[], track: RuleTrack): number | null {
  const peaks = group.flatMap(({ peakCenti }) => (peakCenti === null ? [] : [peakCenti]))
  if (peaks.length === 0) return null
  return track.versions.some(({ condition }) => isLowerWorse(condition))
    ? Math.min(...peaks)
    : Math.max(...peaks)
}

function isLowerWorse(condition: Condition): boolean {
  return 'direction' in condition ? condition.direction === 'below' : condition.type === 'temperature_below'
}

function endMs({ endedAtMs }: Episode): number {
  return endedAtMs ?? Number.POSITIVE_INFINITY
}

function ofDevice<T extends Input>(inputs: readonly T[], deviceId: number): T[] {
  return inputs.filter((input) => input.deviceId === deviceId)
}
