import type { Judging } from '../../evaluator/core/device.ts'
import type { Condition, ReadingInput, RuleTrack, UnitConfig } from '../../evaluator/core/types.ts'

/** One a unit. */
export const DEVICES = 10_000
const INTERVAL_MS = 300_000
const FIRST_MS = Date.UTC(2026, 0, 1)

/** What a device measures, again and again: 16 of 20 readings are good, then comes an excursion. */
const PATTERN_CENTI = [
  ...[310, 320, 330, 340, 350, 340, 330, 320, 310, 300, 290, 300, 310, 320, 330, 340],
  ...[560, 600, 620, 510],
]
/** Check-ins until it repeats itself. */
export const PATTERN = PATTERN_CENTI.length
/** On every other device the excursion is over here, before it is confirmed. */
const SHORT_UNTIL = 18
/** So many alerts are raised in each pattern, by the first rule. */
export const ALERTS_A_PATTERN = DEVICES / 2

const WARM: Condition = {
  type: 'temperature_above',
  limitCenti: 500,
  hysteresisCenti: 50,
  inclusive: false,
  forMs: 600_000,
}
const COLD: Condition = { ...WARM, type: 'temperature_below', limitCenti: 0, forMs: null }
const BATTERY: Condition = { type: 'battery_below', limit: 20 }
/** Two hours within four: more than the pattern has. */
const CUMULATIVE: Condition = {
  type: 'temperature_cumulative',
  direction: 'above',
  limitCenti: 500,
  totalMs: 7_200_000,
  windowMs: 14_400_000,
}

/** The rules of each unit. */
export interface RuleSet {
  name: string
  conditions: readonly Condition[]
}

export const RULE_SETS: readonly RuleSet[] = [
  { name: 'two limits and the battery', conditions: [WARM, COLD, BATTERY] },
  { name: 'two limits and a cumulative rule', conditions: [WARM, COLD, CUMULATIVE] },
]

/** By what the readings of each device are judged: device 1 first. */
export function judgeFleet({ conditions }: RuleSet): Judging[] {
  const tracks = conditions.map(trackOf)
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

function trackOf(condition: Condition, index: number): RuleTrack {
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

/** A reading of each device, device 1 first; `number` counts up from 0. */
export function checkIn(number: number): ReadingInput[] {
  const place = number % PATTERN
  const centi = PATTERN_CENTI[place] ?? 0
  return Array.from({ length: DEVICES }, (_, index) => {
    const isOver = index % 2 === 1 && place >= SHORT_UNTIL
    // Each sensor has its own moment within the interval.
    const atMs = FIRST_MS + number * INTERVAL_MS + index
    return {
      kind: 'reading',
      deviceId: index + 1,
      atMs,
      recordedAtMs: atMs,
      receivedAtMs: atMs + 1_000,
      temperatureCenti: isOver ? (PATTERN_CENTI[0] ?? 0) : centi,
      battery: 80,
      fault: null,
    }
  })
}
