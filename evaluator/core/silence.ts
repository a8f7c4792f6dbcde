import { instantAfter, type Pause, unpausedMs } from './pauses.ts'
import { type RaisedSpan, raisedSpans, spanEpisode } from './raised.ts'
import type { Condition, DeviceConfig, Episode, From, ReadingInput, RuleTrack } from './types.ts'

/** On top of the missed check-ins: a reading that is on its way. */
const GRACE_MS = 30_000
const NO_NEWS: Silences = { episodes: [], isNews: false }

/** What has been heard of a device. JSON; changed by `hear` and `silence`. */
export interface Hearing {
  /** Evaluation time of its newest reading; null = never a reading. */
  newestAtMs: number | null
  /** When that arrived. */
  newestReceivedAtMs: number | null
  /** Evaluation time of its newest temperature; null = none, or by offsets that hold no more. */
  temperatureAtMs: number | null
  temperatureCenti: number | null
  /** When anything last arrived from it. */
  heardAtMs: number | null
  /** How far its silence has been judged. Kept late, it makes news twice, which does no harm. */
  judgedToMs: number | null
  /** The rules under which it is silent, and since which reading: an arrival too old to end a silence does not move it. */
  running: { ruleId: number | null; sinceMs: number }[]
}

/** What silence of a device is judged by. */
export interface Listening {
  device: DeviceConfig
  /** Those of its unit for `no_data`. */
  tracks: readonly RuleTrack[]
  /** Our downtimes and the outages of its hub (`allPauses`). */
  pauses: readonly Pause[]
}

/**
 * The silences of a device that run, or that something has just ended. With news, its open alerts have to be reconciled with
 * them, also where there are none: a reading that comes to light late may have arrived before its silence was due.
 */
export interface Silences {
  episodes: readonly Episode[]
  isNews: boolean
}

export function newHearing(): Hearing {
  return {
    newestAtMs: null,
    newestReceivedAtMs: null,
    temperatureAtMs: null,
    temperatureCenti: null,
    heardAtMs: null,
    judgedToMs: null,
    running: [],
  }
}

/**
 * Judges by what has arrived up to the clock; no silence is found before its last reading has arrived. It is a fact about
 * arrival: what was judged is not judged again.
 */
export function silence(hearing: Hearing, listening: Listening, nowMs: number): Silences {
  const { newestAtMs } = hearing
  if (newestAtMs === null || !isMaybeSilent(hearing, listening, nowMs)) return NO_NEWS
  const before = hearing.running
  const judgedToMs = hearing.judgedToMs ?? -Infinity
  const isHeard = (hearing.newestReceivedAtMs ?? newestAtMs) <= nowMs
  const judged = listening.tracks.flatMap((track) => {
    const runsSinceMs = before.find(({ ruleId }) => ruleId === track.ruleId)?.sinceMs
    const sinceMs = runsSinceMs ?? (isHeard ? newestAtMs : null)
    return sinceMs === null ? [] : [{ track, sinceMs, spans: silentSpans(sinceMs, track, listening, nowMs) }]
  })
  const running = judged.filter(({ spans }) => isRunning(spans))
  hearing.running = running.map(({ track, sinceMs }) => ({ ruleId: track.ruleId, sinceMs }))
  hearing.judgedToMs = Math.max(judgedToMs, nowMs)
  const isNewlyEnded = judged.some(({ spans }) =>
    spans.some((span) => (span.endedAtMs ?? -Infinity) > judgedToMs),
  )
  return {
    episodes: judged.flatMap(({ track, spans }) =>
      spans.map((span) => spanEpisode(track, listening.device.deviceId, span)),
    ),
    isNews: isNewlyEnded || !isSame(before, hearing.running),
  }
}

/**
 * Takes in a reading: in order of arrival, and within a message in order of evaluation time. The silences that were due by
 * then are judged first, so that none is missed between two ticks of the clock; what arrives at once with it is not silence.
 */
export function hear(hearing: Hearing, reading: ReadingInput, listening: Listening): Silences {
  const { atMs, receivedAtMs } = reading
  const isNewer = atMs > (hearing.newestAtMs ?? -Infinity)
  const before = isNewer ? silence(hearing, listening, receivedAtMs - 1) : NO_NEWS
  const heardAtMs = Math.max(hearing.heardAtMs ?? -Infinity, receivedAtMs)
  hearing.heardAtMs = heardAtMs
  noteTemperature(hearing, reading)
  if (!isNewer) return NO_NEWS
  hearing.newestAtMs = atMs
  hearing.newestReceivedAtMs = receivedAtMs
  if (hearing.running.length === 0) return before
  const ended = new Set(
    hearing.running
      .map(({ ruleId }) => ruleId)
      .filter((ruleId) => !isStillSilent(ruleId, hearing, listening, heardAtMs)),
  )
  if (ended.size === 0) return before
  hearing.running = hearing.running.filter(({ ruleId }) => !ended.has(ruleId))
  return {
    episodes: before.episodes.map((episode) =>
      episode.endedAtMs === null && ended.has(episode.ruleId) ? endedBy(episode, atMs) : episode,
    ),
    isNews: true,
  }
}

/** Of readings of one time, the one that comes last. */
function noteTemperature(hearing: Hearing, { atMs, temperatureCenti }: ReadingInput): void {
  if (temperatureCenti === null || atMs < (hearing.temperatureAtMs ?? -Infinity)) return
  hearing.temperatureAtMs = atMs
  hearing.temperatureCenti = temperatureCenti
}

/** Check-ins missed at the clock; null = never a reading. */
export function missedCheckIns(
  { newestAtMs }: Pick<Hearing, 'newestAtMs'>,
  { device, pauses }: Pick<Listening, 'device' | 'pauses'>,
  nowMs: number,
): number | null {
  if (newestAtMs === null) return null
  const silentMs = unpausedMs(newestAtMs, nowMs, pauses)
  return Math.max(0, Math.floor((silentMs - GRACE_MS) / intervalAt(device.intervalMs, nowMs)))
}

/** By how much the clock of a device is behind that counts as silent but is heard; null = it is not heard. */
export function clockLagMs(hearing: Hearing, listening: Listening, nowMs: number): number | null {
  const { newestAtMs, newestReceivedAtMs, heardAtMs } = hearing
  if (newestAtMs === null || newestReceivedAtMs === null || newestReceivedAtMs === newestAtMs) return null
  const missed = missedCheckIns({ newestAtMs: heardAtMs }, listening, nowMs)
  return missed === 0 ? newestReceivedAtMs - newestAtMs : null
}

/** The spans of silence that nothing ends, since a reading. */
export function silentSpans(
  sinceMs: number,
  track: RuleTrack,
  listening: Listening,
  nowMs: number,
): RaisedSpan[] {
  return raisedSpans(
    track,
    { fromMs: sinceMs, endMs: null, receivedAtMs: null },
    { dueAt: (condition) => dueMs(sinceMs, condition, listening), judgedToMs: nowMs },
  )
}

/** Each reporting interval counts for the time in which it is in force. */
function dueMs(sinceMs: number, condition: Condition, { device, pauses }: Listening): number {
  if (condition.type !== 'no_data') return Infinity
  for (const [index, { fromMs, value }] of device.intervalMs.entries()) {
    const atMs = Math.max(fromMs, instantAfter(sinceMs, condition.missed * value + GRACE_MS, pauses))
    if (atMs < (device.intervalMs[index + 1]?.fromMs ?? Infinity)) return atMs
  }
  return Infinity
}

/** A cheap look, as it is asked for every reading and device: pauses only make a silence come later. */
function isMaybeSilent(hearing: Hearing, { device }: Listening, nowMs: number): boolean {
  if (hearing.newestAtMs === null || !device.hasTemperature) return false
  if (hearing.running.length > 0) return true
  const silentMs = nowMs - hearing.newestAtMs - GRACE_MS
  for (const { value } of device.intervalMs) if (silentMs >= value) return true
  return false
}

function intervalAt(intervals: readonly From<number>[], atMs: number): number {
  const interval = intervals.findLast(({ fromMs }) => fromMs <= atMs)
  if (interval === undefined) throw new Error('A device has no reporting interval from -Infinity on.')
  return interval.value
}

function isStillSilent(
  ruleId: number | null,
  { newestAtMs }: Hearing,
  listening: Listening,
  nowMs: number,
): boolean {
  const track = listening.tracks.find((one) => one.ruleId === ruleId)
  return track !== undefined && isRunning(silentSpans(newestAtMs ?? nowMs, track, listening, nowMs))
}

/** An old reading that ends a silence does not end it before it was one. */
function endedBy(episode: Episode, atMs: number): Episode {
  const endedAtMs = Math.max(atMs, episode.triggeredAtMs)
  return { ...episode, endedAtMs, resolution: 'recovered', newestIsGood: true }
}

function isRunning(spans: readonly RaisedSpan[]): boolean {
  return spans.at(-1)?.endedAtMs === null
}

function isSame(before: Hearing['running'], after: Hearing['running']): boolean {
  return (
    before.length === after.length && after.every(({ ruleId }) => before.some((one) => one.ruleId === ruleId))
  )
}
