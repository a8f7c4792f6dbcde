import type { Judging } from '../../evaluator/core/device.ts'
import type { Condition, ReadingInput, RuleTrack, UnitConfig } from '../../evaluator/core/types.ts'

/** Devices of the fleet, one a unit; each unit has `RULES`. */
export const DEVICES = 10_000
const INTERVAL_MS = 300_000
/** So many readings of each device come again and again, shifted in time. */
export const PATTERN_READINGS = 20
const FIRST_MS = Date.UTC(2026, 0, 1)

/** What most units have. */
export const LIMITS: readonly Condition[] = [
  { type: 'temperature_above', limitCenti: 500, hysteresisCenti: 50, inclusive: false, forMs: 600_000 },
  { type: 'temperature_below', limitCenti: 0, hysteresisCenti: 50, inclusive: false, forMs: null },
  { type: 'battery_below', limit: 20 },
]

/** With a rule over the last readings. */
export const WINDOWED: readonly Condition[] = [
  ...LIMITS.slice(0, 2),
  { type: 'temperature_cumulative', direction: 'above', limitCenti: 500, totalMs: 7_200_000, windowMs: 14_400_000 },
]

/** °C x 100: 16 good ones, then 4 of an excursion. Every other device gets good again in time. */
const PATTERN_CENTI = [
  ...[310, 320, 330, 340, 350, 340, 330, 320, 310, 300, 290, 300, 310, 320, 330, 340],
  ...[560, 600, 620, 510],
]
const SHORT_AT = 18

/** Alerts that a device raises in each pattern, of the limits: every other one. */
export const ALERTS_A_PATTERN = 0.5

export function fleetJudging(conditions: readonly Condition[]): Judging[] {
  const tracks = conditions.map(track)
  return Array.from({ length: DEVICES }, (_, index) => {
    const device = {
      deviceId: index + 1,
      hubId: 1,
      deviceType: 'temperature',
      hasTemperature: true,
      intervalMs: [{ fromMs: Number.NEGATIVE_INFINITY, value: INTERVAL_MS }],
    }
    const unit: UnitConfig = {
      unitId: index + 1,
      organizationId: 1,
      siteId: 1,
      tempMinCenti: 0,
      tempMaxCenti: 500,
      manualMonitoringRequired: false,
      monitoringEnabled: true,
      timezone: 'Europe/Berlin',
      devices: [device],
      tracks,
    }
    return { unit, device, isDoorOpenAt: () => false }
  })
}

function track(condition: Condition, index: number): RuleTrack {
  return {
    ruleId: index + 1,
    name: condition.type,
    conditionType: condition.type,
    alertType: condition.type === 'battery_below' ? 'low_battery' : 'alarm_active',
    versions: [
      {
        version: 1,
        fromMs: Number.NEGATIVE_INFINITY,
        toMs: Number.POSITIVE_INFINITY,
        condition,
        severity: 'critical',
        triggers: { by: 'received', fromMs: Number.NEGATIVE_INFINITY },
      },
    ],
  }
}

/** The readings of one check-in of all devices. */
export function checkIn(number: number): ReadingInput[] {
  return Array.from({ length: DEVICES }, (_, index) => {
    const isShort = index % 2 === 1 && number % PATTERN_READINGS >= SHORT_AT
    const centi = isShort ? 300 : (PATTERN_CENTI[number % PATTERN_READINGS] ?? 300)
    // Each sensor has its own moment within the interval.
    const atMs = FIRST_MS + number * INTERVAL_MS + (index % INTERVAL_MS)
    return {
      kind: 'reading',
      deviceId: index + 1,
      atMs,
      recordedAtMs: atMs,
      receivedAtMs: atMs + 1_000,
      temperatureCenti: centi,
      battery: 80,
      fault: null,
    }
  })
}
