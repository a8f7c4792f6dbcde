import type { DeviceConfig, Episode, From, ReadingInput, RuleTrack, RuleVersion } from '../core/types.ts'
import { type Judge, judgeOf, PENDING_GAP_MS_MAX, type Series } from './reference-judges.ts'

/** An excursion that has not ended: pending, or raised once it has triggered. */
interface Excursion {
  startedAtMs: number
  confirmedMs: number
  unknownMs: number
  /** Readings since it began. */
  count: number
  peak: number | null
  /** Of those at the end that are good, in a row: the time of the first, and how many. */
  goodSinceMs: number
  good: number
  triggered: Pick<
    Episode,
    'ruleVersion' | 'severity' | 'triggeredAtMs' | 'triggerCenti' | 'limitCenti'
  > | null
}

interface Walk {
  series: Series
  judge: Judge
  version: RuleVersion
  isDoorOpenAt(atMs: number): boolean
}

/**
 * All episodes of one device and one rule, by going through all of its readings again for every version of the rule.
 * As slow as it looks: it is here to be compared with.
 */
export function referenceEpisodes(
  readings: readonly ReadingInput[],
  parts: { device: DeviceConfig; track: RuleTrack; isDoorOpenAt(atMs: number): boolean },
): Episode[] {
  const episodes: Episode[] = []
  const ordered = readings.toSorted((a, b) => a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs)
  const emit = (excursion: Excursion, end: Pick<Episode, 'endedAtMs' | 'resolution'>) => {
    if (!excursion.triggered) return
    episodes.push({
      deviceId: parts.device.deviceId,
      ruleId: parts.track.ruleId,
      conditionType: parts.track.conditionType,
      ...excursion.triggered,
      startedAtMs: excursion.startedAtMs,
      ...end,
      peakCenti: excursion.peak,
      confirmedMs: excursion.confirmedMs,
      unknownMs: excursion.unknownMs,
      newestIsGood: excursion.good > 0,
    })
  }

  let excursion: Excursion | null = null
  let previous: RuleVersion | undefined
  for (const version of parts.track.versions) {
    const judge = judgeOf(version.condition)
    if (!judge) return []
    const walk: Walk = {
      series: seriesOf(ordered, judge, parts.device.intervalMs),
      judge,
      version,
      isDoorOpenAt: parts.isDoorOpenAt,
    }
    const inForce = walk.series.readings.map((reading) => isWithin(version, reading.atMs))
    const first = walk.series.readings.findIndex((reading) => reading.atMs >= version.fromMs)
    const boundary = first < 0 ? inForce.length : first
    // What was before, seen by this version.
    let past: Excursion | null = null
    for (let index = 0; index < boundary; index += 1) past = next(walk, index, past).excursion
    excursion = carriedOver(excursion, past, { previous, version, emit })
    for (let index = boundary; inForce[index]; index += 1) {
      const after = next(walk, index, excursion)
      if (after.ended) emit(after.ended, { endedAtMs: after.ended.goodSinceMs, resolution: 'recovered' })
      excursion = after.excursion
    }
    previous = version
  }
  if (excursion && previous && previous.toMs !== Number.POSITIVE_INFINITY) {
    emit(excursion, { endedAtMs: previous.toMs, resolution: 'rule_changed' })
  } else if (excursion) {
    emit(excursion, { endedAtMs: null, resolution: null })
  }
  return episodes
}

/** A raised excursion goes on under the next version if that finds something there too, else it ends with its rule. */
function carriedOver(
  excursion: Excursion | null,
  past: Excursion | null,
  at: {
    previous: RuleVersion | undefined
    version: RuleVersion
    emit(excursion: Excursion, end: Pick<Episode, 'endedAtMs' | 'resolution'>): void
  },
): Excursion | null {
  if (!excursion?.triggered || !at.previous) return past
  if (past && at.previous.toMs === at.version.fromMs) return { ...excursion, good: 0 }
  at.emit(excursion, { endedAtMs: at.previous.toMs, resolution: 'rule_changed' })
  return past
}

/** What one reading makes of an excursion, or of none. */
function next(
  walk: Walk,
  index: number,
  before: Excursion | null,
): { excursion: Excursion | null; ended: Excursion | null } {
  const { series, judge } = walk
  const reading = readingAt(series, index)
  const verdict = judge.verdict(series, index)
  const excursion = before && passTime(walk, index, before)

  if (!excursion) {
    const begins = verdict === 'out'
    return { excursion: begins ? triggerIfDue(walk, index, begin(walk, index)) : null, ended: null }
  }
  if (verdict === 'good') {
    const isFirst = excursion.good === 0 || series.isKnown[index] !== true
    const good = isFirst ? 1 : excursion.good + 1
    const goodSinceMs = isFirst ? reading.atMs : excursion.goodSinceMs
    const went = { ...excursion, good, goodSinceMs }
    if (excursion.triggered && good < judge.goodToEnd) return { excursion: went, ended: null }
    return { excursion: null, ended: excursion.triggered ? went : null }
  }
  const peak = worse(judge, excursion.peak, judge.value(series, index))
  const went = { ...excursion, good: 0, count: excursion.count + 1, peak }
  return { excursion: verdict === 'out' ? triggerIfDue(walk, index, went) : went, ended: null }
}

/** The time from the reading before to this one: held by that one, if it is known. */
function passTime(walk: Walk, index: number, excursion: Excursion): Excursion | null {
  const { series, judge } = walk
  const passedMs = readingAt(series, index).atMs - readingAt(series, index - 1).atMs
  if (!excursion.triggered && passedMs > PENDING_GAP_MS_MAX) return null
  if (!series.isKnown[index]) return { ...excursion, unknownMs: excursion.unknownMs + passedMs }
  const provenMs = judge.proves(series, index - 1) ? passedMs : 0
  return { ...excursion, confirmedMs: excursion.confirmedMs + provenMs }
}

function begin(walk: Walk, index: number): Excursion {
  const { series, judge } = walk
  const beginning = judge.beginning(series, index)
  let excursion: Excursion = {
    startedAtMs: readingAt(series, beginning).atMs,
    confirmedMs: 0,
    unknownMs: 0,
    count: index - beginning + 1,
    peak: worse(judge, null, valueFound(walk, beginning, index)),
    good: 0,
    goodSinceMs: 0,
    triggered: null,
  }
  // A rule that looks back finds the beginning only afterwards.
  for (let at = beginning + 1; at <= index; at += 1) {
    const passedMs = readingAt(series, at).atMs - readingAt(series, at - 1).atMs
    const isKnown = series.isKnown[at] === true
    const isProven = isKnown && judge.provedBefore(series, at - 1)
    excursion = {
      ...excursion,
      confirmedMs: excursion.confirmedMs + (isProven ? passedMs : 0),
      unknownMs: excursion.unknownMs + (isKnown ? 0 : passedMs),
      peak: worse(judge, excursion.peak, valueFound(walk, at, index)),
    }
  }
  return excursion
}

function triggerIfDue(walk: Walk, index: number, excursion: Excursion): Excursion {
  const { judge, series, version } = walk
  const reading = readingAt(series, index)
  const { confirmedMs, count } = excursion
  const isDoorOpen = walk.isDoorOpenAt(reading.atMs)
  const mayTrigger =
    isWithin(version, reading.atMs) &&
    (version.triggers.by === 'received' ? reading.receivedAtMs : reading.atMs) >= version.triggers.fromMs
  if (excursion.triggered || !mayTrigger || !judge.isDue({ confirmedMs, count, isDoorOpen })) return excursion
  return {
    ...excursion,
    triggered: {
      ruleVersion: version.version,
      severity: version.severity,
      triggeredAtMs: reading.atMs,
      triggerCenti: judge.value(series, index),
      limitCenti: judge.limit,
    },
  }
}

/** Of a reading of an excursion that was found at `index`. */
function valueFound({ judge, series }: Walk, at: number, index: number): number | null {
  return at < index ? judge.valueBefore(series, at) : judge.value(series, at)
}

function worse({ isHigherWorse }: Judge, peak: number | null, value: number | null): number | null {
  if (peak === null || value === null) return peak ?? value
  return isHigherWorse ? Math.max(peak, value) : Math.min(peak, value)
}

function seriesOf(
  ordered: readonly ReadingInput[],
  judge: Judge,
  intervalMs: readonly From<number>[],
): Series {
  const readings = ordered.filter((reading) => judge.sees(reading))
  const isKnown = readings.map((reading, index) => {
    const before = readings[index - 1]
    return before !== undefined && reading.atMs - before.atMs <= 2 * valueAt(intervalMs, reading.atMs)
  })
  return { readings, isKnown }
}

function valueAt(spans: readonly From<number>[], atMs: number): number {
  const span = spans.findLast(({ fromMs }) => fromMs <= atMs)
  if (!span) throw new Error('no value at that time: the first span must begin at -Infinity')
  return span.value
}

function isWithin({ fromMs, toMs }: RuleVersion, atMs: number): boolean {
  return atMs >= fromMs && atMs < toMs
}

function readingAt(series: Series, index: number): ReadingInput {
  const reading = series.readings[index]
  if (!reading) throw new Error(`no reading ${index}`)
  return reading
}
