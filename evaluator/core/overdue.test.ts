import { describe, expect, test } from 'vitest'
import { seconds, trackOf, versionOf } from '../testing/words.ts'
import { type Calibration, calibrationEpisodes, type ManualLogs, manualLogAlerts } from './overdue.ts'

const HOUR = 3600
const DAY = 24 * HOUR

describe('a manual log', () => {
  const rule = trackOf({ type: 'manual_log_overdue', afterMs: seconds(4 * HOUR) })
  const alerts = (hours: readonly number[], now: number, expectedFromMs: number | null = null) =>
    manualLogAlerts(
      1,
      rule,
      { logsMs: hours.map((hour) => seconds(hour * HOUR)), expectedFromMs },
      seconds(now * HOUR),
    )

  test('is overdue from so long after the one before it until it comes', () => {
    expect(alerts([0], 3.999)).toEqual([])
    expect(alerts([0], 4)).toMatchObject([
      {
        unitId: 1,
        deviceId: null,
        alertType: 'missed_manual_entry',
        startedAtMs: 0,
        triggeredAtMs: seconds(4 * HOUR),
        endedAtMs: null,
        resolution: null,
      },
    ])
    expect(alerts([0, 5, 8, 12], 12)).toMatchObject([
      {
        startedAtMs: 0,
        triggeredAtMs: seconds(4 * HOUR),
        endedAtMs: seconds(5 * HOUR),
        resolution: 'recovered',
      },
    ])
  })

  test('that is entered late for a time that was overdue makes that time good', () => {
    expect(alerts([0, 6], 6)).toHaveLength(1)
    expect(alerts([0, 3, 6], 6)).toEqual([])
  })

  test('is expected from the beginning, where there is one', () => {
    expect(alerts([], 100)).toEqual([])
    expect(alerts([], 4, 0)).toMatchObject([{ startedAtMs: 0, triggeredAtMs: seconds(4 * HOUR) }])
    expect(alerts([5], 6, 0)).toMatchObject([{ startedAtMs: 0, endedAtMs: seconds(5 * HOUR) }])
    expect(alerts([5], 6, seconds(6 * HOUR))).toEqual([])
  })

  test('is not asked for before its rule was made', () => {
    const created = versionOf(
      { type: 'manual_log_overdue', afterMs: seconds(4 * HOUR) },
      { fromMs: -Infinity, triggers: { by: 'received', fromMs: seconds(1000 * HOUR) } },
    )
    const logs: ManualLogs = { logsMs: [0], expectedFromMs: null }
    const track = trackOf(created.condition, [created])
    expect(manualLogAlerts(1, track, logs, seconds(999 * HOUR))).toEqual([])
    expect(manualLogAlerts(1, track, logs, seconds(1001 * HOUR))).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(1000 * HOUR) },
    ])
  })
})

describe('a calibration', () => {
  const rule = trackOf({ type: 'calibration_due', daysAhead: 30 })
  const episodes = (calibrations: readonly Calibration[], day: number) =>
    calibrationEpisodes(1, rule, calibrations, seconds(day * DAY))

  test('is due so many days before it expires, until the next one', () => {
    expect(episodes([calibration(0, 365)], 334.999)).toEqual([])
    expect(episodes([calibration(0, 365)], 335)).toMatchObject([
      {
        deviceId: 1,
        startedAtMs: seconds(335 * DAY),
        triggeredAtMs: seconds(335 * DAY),
        endedAtMs: null,
      },
    ])
    expect(episodes([calibration(0, 365), calibration(340, 705)], 341)).toMatchObject([
      { triggeredAtMs: seconds(335 * DAY), endedAtMs: seconds(340 * DAY), resolution: 'recovered' },
    ])
  })

  test('under a new rule was due before, and triggers from the rule on', () => {
    const created = versionOf(
      { type: 'calibration_due', daysAhead: 30 },
      { fromMs: -Infinity, triggers: { by: 'received', fromMs: seconds(400 * DAY) } },
    )
    expect(
      calibrationEpisodes(
        1,
        trackOf(created.condition, [created]),
        [calibration(0, 365)],
        seconds(401 * DAY),
      ),
    ).toMatchObject([{ startedAtMs: seconds(335 * DAY), triggeredAtMs: seconds(400 * DAY) }])
  })

  test('that does not expire is never due; nor is one that was replaced before', () => {
    expect(episodes([calibration(0, null)], 1e6)).toEqual([])
    expect(episodes([calibration(0, 365), calibration(300, null)], 1e6)).toEqual([])
  })

  test('for less than the days ahead is due from its beginning', () => {
    expect(episodes([calibration(100, 110)], 100)).toMatchObject([{ startedAtMs: seconds(100 * DAY) }])
  })
})

function calibration(from: number, expires: number | null): Calibration {
  return {
    calibratedAtMs: seconds(from * DAY),
    expiresAtMs: expires === null ? null : seconds(expires * DAY),
  }
}
