import { raisedSpans, spanEpisode, spanFacts, type Wait } from './raised.ts'
import type { AlertFacts, Condition, Episode, RuleTrack } from './types.ts'

const DAY_MS = 86_400_000

/** Manual logs of a unit, by the time at which they were measured, in order. */
export interface ManualLogs {
  logsMs: readonly number[]
  /** From when on they are expected, where there is none before them; null = older ones are left out. */
  expectedFromMs: number | null
}

/** The times without a manual log for longer than a rule allows, up to the clock. */
export function manualLogAlerts(
  unitId: number,
  track: RuleTrack,
  { logsMs, expectedFromMs }: ManualLogs,
  nowMs: number,
): AlertFacts[] {
  const beginsMs = expectedFromMs === null ? logsMs : [expectedFromMs, ...logsMs]
  return beginsMs.flatMap((fromMs, index) => {
    const wait: Wait = { fromMs, endMs: beginsMs[index + 1] ?? null, receivedAtMs: null }
    const spans = raisedSpans(track, wait, {
      dueAt: (condition) => (condition.type === 'manual_log_overdue' ? fromMs + condition.afterMs : Infinity),
      judgedToMs: nowMs,
    })
    return spans.map((span) => spanFacts(track, { unitId, hubId: null }, span))
  })
}

/** A calibration of a device: in force until the next one. */
export interface Calibration {
  calibratedAtMs: number
  /** Null = it does not expire. */
  expiresAtMs: number | null
}

/** The times in which the calibration of a device in force has expired, or is about to, up to the clock. In order. */
export function calibrationEpisodes(
  deviceId: number,
  track: RuleTrack,
  calibrations: readonly Calibration[],
  nowMs: number,
): Episode[] {
  return calibrations.flatMap(({ calibratedAtMs, expiresAtMs }, index) => {
    // One for less than the days ahead is due from its beginning.
    const dueAt = (condition: Condition): number =>
      condition.type === 'calibration_due' && expiresAtMs !== null
        ? Math.max(calibratedAtMs, expiresAtMs - condition.daysAhead * DAY_MS)
        : Infinity
    const endMs = calibrations[index + 1]?.calibratedAtMs ?? null
    const wait: Wait = { fromMs: calibratedAtMs, endMs, receivedAtMs: null }
    return raisedSpans(track, wait, { dueAt, judgedToMs: nowMs }).map((span) =>
      // It was good until it was due.
      spanEpisode(track, deviceId, { ...span, startedAtMs: dueAt(span.version.condition) }),
    )
  })
}
