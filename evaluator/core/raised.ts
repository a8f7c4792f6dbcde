import type { AlertFacts, Condition, Episode, RuleTrack, RuleVersion } from './types.ts'

/** What a condition of the clock waits for to end: an open door, a silence, the time since the last manual log. */
export interface Wait {
  fromMs: number
  /** Null while it lasts. */
  endMs: number | null
  /** When we heard of its beginning; null where there is nothing to hear. */
  receivedAtMs: number | null
}

/** A time in which a rule was found broken by a wait. */
export interface RaisedSpan {
  version: RuleVersion
  startedAtMs: number
  triggeredAtMs: number
  endedAtMs: number | null
  resolution: 'recovered' | 'rule_changed' | null
}

interface Judging {
  /** When a wait has lasted too long under this condition, had it always been in force; Infinity = never. */
  dueAt: (condition: Condition) => number
  /** How far a wait that still lasts can be judged. */
  judgedToMs: number
}

/**
 * The spans that a wait raises under the versions of a rule: at most one for each uninterrupted stretch of them. A wait is
 * never idle, so one that is raised goes on under the next version; a hole in the rule ends it.
 */
export function raisedSpans(track: RuleTrack, wait: Wait, judging: Judging): RaisedSpan[] {
  return stretches(track.versions).flatMap((stretch) => spanIn(stretch, wait, judging) ?? [])
}

/** When the rule that is in force at an instant stops to be, over its changes; Infinity = not known to. */
export function ruleEndMs(track: RuleTrack, atMs: number): number {
  return (
    stretches(track.versions)
      .map(endOf)
      .find((endMs) => endMs > atMs) ?? atMs
  )
}

/** A span of one device as an episode. No readings confirm it: how long it lasted is in its times. */
export function spanEpisode(track: RuleTrack, deviceId: number, span: RaisedSpan): Episode {
  return {
    deviceId,
    ruleId: track.ruleId,
    conditionType: track.conditionType,
    ruleVersion: span.version.version,
    severity: span.version.severity,
    startedAtMs: span.startedAtMs,
    triggeredAtMs: span.triggeredAtMs,
    endedAtMs: span.endedAtMs,
    resolution: span.resolution,
    triggerCenti: null,
    limitCenti: null,
    peakCenti: null,
    confirmedMs: 0,
    unknownMs: 0,
    newestIsGood: span.endedAtMs !== null,
  }
}

/** A span as an alert that is not about one device of a unit. */
export function spanFacts(
  track: RuleTrack,
  subject: Pick<AlertFacts, 'unitId' | 'hubId'>,
  span: RaisedSpan,
): AlertFacts {
  return {
    ...subject,
    deviceId: null,
    ruleId: track.ruleId,
    ruleVersion: span.version.version,
    conditionType: track.conditionType,
    alertType: track.alertType,
    severity: span.version.severity,
    startedAtMs: span.startedAtMs,
    triggeredAtMs: span.triggeredAtMs,
    endedAtMs: span.endedAtMs,
    resolution: span.resolution,
    triggerCenti: null,
    limitCenti: null,
    peakCenti: null,
    confirmedMs: 0,
    unknownMs: 0,
  }
}

function spanIn(stretch: readonly RuleVersion[], wait: Wait, judging: Judging): RaisedSpan | undefined {
  for (const version of stretch) {
    const triggeredAtMs = Math.max(judging.dueAt(version.condition), firstTriggerMs(version, wait))
    if (triggeredAtMs >= version.toMs || !isReached(triggeredAtMs, wait, judging.judgedToMs)) continue
    return { version, startedAtMs: wait.fromMs, triggeredAtMs, ...endIn(stretch, wait) }
  }
  return undefined
}

/** A changed rule sees the past, but triggers only from the change on. */
function firstTriggerMs(version: RuleVersion, wait: Wait): number {
  const { by, fromMs } = version.triggers
  const isNews = by === 'received' && wait.receivedAtMs !== null && wait.receivedAtMs >= fromMs
  return isNews ? version.fromMs : Math.max(version.fromMs, fromMs)
}

function isReached(triggeredAtMs: number, wait: Wait, judgedToMs: number): boolean {
  return wait.endMs === null ? triggeredAtMs <= judgedToMs : triggeredAtMs < wait.endMs
}

/** An end of a rule that is known has happened, however far its waits are judged. */
function endIn(stretch: readonly RuleVersion[], wait: Wait): Pick<RaisedSpan, 'endedAtMs' | 'resolution'> {
  const ruleEnds = endOf(stretch)
  if (wait.endMs !== null && wait.endMs <= ruleEnds) {
    return { endedAtMs: wait.endMs, resolution: 'recovered' }
  }
  if (ruleEnds !== Infinity) return { endedAtMs: ruleEnds, resolution: 'rule_changed' }
  return { endedAtMs: null, resolution: null }
}

function stretches(versions: readonly RuleVersion[]): RuleVersion[][] {
  const found: RuleVersion[][] = []
  for (const version of versions) {
    const last = found.at(-1)
    if (last !== undefined && endOf(last) === version.fromMs) last.push(version)
    else found.push([version])
  }
  return found
}

function endOf(stretch: readonly RuleVersion[]): number {
  return stretch.at(-1)?.toMs ?? -Infinity
}
