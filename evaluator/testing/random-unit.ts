import { ALERT_TYPES } from '../../db/fleet/conditions.ts'
import type { Random } from '../../simulators/random.ts'
import type {
  Condition,
  DeviceConfig,
  Direction,
  RuleTrack,
  RuleVersion,
  Severity,
  UnitConfig,
} from '../core/types.ts'

/** The time at which random streams begin: whole hours are nothing special. */
export const STREAM_FROM_MS = 1_795_000_007_000
export const STREAM_MS = 40 * 3_600_000

/** Limits are near this, and so are the temperatures of random streams. */
export const MIDDLE_CENTI = 500
/** Close enough together that limits are hit exactly, and values repeat. */
export const STEP_CENTI = 25

const UNIT_ID = 7
const SEVERITIES: readonly Severity[] = ['info', 'warning', 'critical']
const MINUTE_MS = 60_000

/** A unit with one to three thermometers, doors, and rules whose versions change while the stream runs. */
export function randomUnit(random: Random): UnitConfig {
  const thermometers = Array.from({ length: random.integer(1, 3) }, (_, index) =>
    randomThermometer(random, 11 + index),
  )
  const doors = Array.from({ length: random.integer(0, 2) }, (_, index) => doorDevice(21 + index))
  return {
    unitId: UNIT_ID,
    organizationId: 1,
    siteId: 1,
    tempMinCenti: 0,
    tempMaxCenti: MIDDLE_CENTI,
    manualMonitoringRequired: false,
    monitoringEnabled: true,
    timezone: 'Europe/Berlin',
    devices: [...thermometers, ...doors],
    tracks: Array.from({ length: random.integer(1, 4) }, (_, index) => randomTrack(random, 31 + index)),
  }
}

function randomThermometer(random: Random, deviceId: number): DeviceConfig {
  const first = { fromMs: Number.NEGATIVE_INFINITY, value: randomIntervalMs(random) }
  const changed = { fromMs: randomInstant(random), value: randomIntervalMs(random) }
  return {
    deviceId,
    hubId: 3,
    deviceType: 'temperature',
    hasTemperature: true,
    intervalMs: random.chance(0.2) ? [first, changed] : [first],
  }
}

function doorDevice(deviceId: number): DeviceConfig {
  return {
    deviceId,
    hubId: 3,
    deviceType: 'door',
    hasTemperature: false,
    intervalMs: [{ fromMs: Number.NEGATIVE_INFINITY, value: 5 * MINUTE_MS }],
  }
}

function randomIntervalMs(random: Random): number {
  return random.pick([5, 10, 20]) * MINUTE_MS
}

/** A rule that has mostly been there for ever; else made, changed, switched off and on again along the way. */
function randomTrack(random: Random, ruleId: number): RuleTrack {
  const draw = randomCondition(random)
  const cuts = Array.from({ length: random.pick([0, 0, 0, 1, 1, 2]) }, () => randomInstant(random)).toSorted(
    (a, b) => a - b,
  )
  const createdMs = random.chance(0.7) ? 0 : randomInstant(random)
  const versions = [Number.NEGATIVE_INFINITY, ...cuts].map((fromMs, index): RuleVersion => {
    const next = cuts[index] ?? Number.POSITIVE_INFINITY
    // Sometimes it is off for a while, or deleted in the end.
    const toMs = random.chance(0.15) ? randomInstant(random) : next
    return {
      version: index + 1,
      fromMs,
      toMs: Math.min(Math.max(toMs, fromMs), next),
      condition: draw(),
      severity: random.pick(SEVERITIES),
      triggers: index === 0 ? { by: 'received', fromMs: createdMs } : { by: 'at', fromMs },
    }
  })
  const conditionType = versions[0]?.condition.type ?? 'temperature_above'
  return {
    ruleId,
    name: `Rule ${ruleId}`,
    conditionType,
    alertType: ALERT_TYPES[conditionType],
    versions: versions.filter(({ fromMs, toMs }) => fromMs < toMs),
  }
}

/** Draws conditions of one type, each with numbers of its own. */
function randomCondition(random: Random): () => Condition {
  const direction: Direction = random.pick(['above', 'below'])
  const limitCenti = () => MIDDLE_CENTI + (direction === 'above' ? 1 : -1) * STEP_CENTI * random.integer(0, 4)
  const kinds: readonly (() => Condition)[] = [
    () => ({
      type: `temperature_${direction}`,
      limitCenti: limitCenti(),
      hysteresisCenti: random.pick([0, 50, 50, 75]),
      inclusive: random.chance(0.3),
      forMs: random.pick([null, null, 0, 10 * MINUTE_MS, 30 * MINUTE_MS, 31 * MINUTE_MS]),
    }),
    () => {
      const windowMs = random.pick([30, 60, 240, 600]) * MINUTE_MS
      const totalMs = windowMs / random.pick([1, 2, 3])
      return { type: 'temperature_cumulative', direction, limitCenti: limitCenti(), totalMs, windowMs }
    },
    () => {
      const m = random.pick([1, 3, 5, 12])
      return {
        type: 'temperature_n_of_m',
        direction,
        limitCenti: limitCenti(),
        n: random.integer(1, m),
        m,
      }
    },
    () => ({
      type: 'rate_of_change',
      direction: direction === 'above' ? 'rising' : 'falling',
      deltaCenti: STEP_CENTI * random.integer(3, 8),
      windowMs: random.pick([10, 15, 30, 60]) * MINUTE_MS,
    }),
    () => ({ type: 'battery_below', limit: random.pick([20, 20, 25.5]) }),
    () => ({
      type: 'sensor_fault',
      kind: 'stuck',
      forMs: random.pick([20, 40, 120]) * MINUTE_MS,
      minReadings: random.integer(2, 6),
    }),
    () => ({ type: 'sensor_fault', kind: 'jump', maxStepCenti: STEP_CENTI * random.integer(2, 5) }),
    () => ({ type: 'sensor_fault', kind: 'fault', forMs: random.pick([0, 10, 30]) * MINUTE_MS }),
  ]
  // Limits are what most rules are about.
  const kind = random.chance(0.4) ? kinds[0] : random.pick(kinds)
  if (!kind) throw new Error('there is a kind')
  return kind
}

/** On a reading's time as often as not. */
export function randomInstant(random: Random): number {
  const minute = random.integer(0, STREAM_MS / MINUTE_MS)
  return STREAM_FROM_MS + (random.chance(0.5) ? minute - (minute % 10) : minute) * MINUTE_MS
}
