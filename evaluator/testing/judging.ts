import type { Judging } from '../core/device.ts'
import type {
  AlertType,
  Condition,
  DeviceConfig,
  Episode,
  ReadingInput,
  RuleTrack,
  RuleVersion,
  UnitConfig,
} from '../core/types.ts'

const DEVICE_ID = 1
const UNIT_ID = 1

const ALERT_TYPES: Partial<Record<Condition['type'], AlertType>> = {
  battery_below: 'low_battery',
  sensor_fault: 'sensor_fault',
}

/** A version of a rule, in force since ever unless something else is given. */
export function version(condition: Condition, given: Partial<RuleVersion> = {}): RuleVersion {
  return {
    version: 1,
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
    condition,
    severity: 'critical',
    triggers: { by: 'received', fromMs: Number.NEGATIVE_INFINITY },
    ...given,
  }
}

/** The same of a later one: triggers from its start on, in seconds. */
export function changedAt(
  seconds: number,
  condition: Condition,
  given: Partial<RuleVersion> = {},
): RuleVersion {
  const fromMs = seconds * 1_000
  return version(condition, { version: 2, fromMs, triggers: { by: 'at', fromMs }, ...given })
}

export function trackOf(versions: RuleVersion[], ruleId = 1): RuleTrack {
  const conditionType = versions[0]?.condition.type ?? 'temperature_above'
  const alertType = ALERT_TYPES[conditionType] ?? 'alarm_active'
  return { ruleId, name: `rule ${ruleId}`, conditionType, alertType, versions }
}

/** A device that measures every 5 minutes, under these rules. */
export function judgingBy(
  tracks: RuleTrack[],
  given: Partial<Judging> & { intervalMs?: DeviceConfig['intervalMs'] } = {},
): Judging {
  const { intervalMs = [{ fromMs: Number.NEGATIVE_INFINITY, value: 300_000 }], ...rest } = given
  const device = {
    deviceId: DEVICE_ID,
    hubId: 1,
    deviceType: 'temperature',
    hasTemperature: true,
    intervalMs,
  }
  const unit: UnitConfig = {
    unitId: UNIT_ID,
    organizationId: 1,
    siteId: 1,
    tempMinCenti: null,
    tempMaxCenti: null,
    manualMonitoringRequired: false,
    monitoringEnabled: true,
    timezone: 'Europe/Berlin',
    devices: [device],
    tracks,
  }
  return { unit, device, isDoorOpenAt: () => false, ...rest }
}

/** The rules of conditions that never change. */
export function judgingOf(...conditions: Condition[]): Judging {
  return judgingBy(conditions.map((condition, index) => trackOf([version(condition)], index + 1)))
}

/** A reading at so many seconds, received when it was recorded. */
export function readingAt(seconds: number, given: Partial<ReadingInput> = {}): ReadingInput {
  const atMs = seconds * 1_000
  return {
    kind: 'reading',
    deviceId: DEVICE_ID,
    atMs,
    recordedAtMs: atMs,
    receivedAtMs: atMs,
    temperatureCenti: null,
    battery: null,
    fault: null,
    ...given,
  }
}

/** Seconds and °C of each reading. */
export function temperatures(
  ...readings: readonly (readonly [seconds: number, celsius: number])[]
): ReadingInput[] {
  return readings.map(([seconds, celsius]) =>
    readingAt(seconds, { temperatureCenti: Math.round(celsius * 100) }),
  )
}

/** °C of readings every so many seconds. */
export function every(seconds: number, celsius: readonly number[], fromSeconds = 0): ReadingInput[] {
  return temperatures(...celsius.map((value, index) => [fromSeconds + index * seconds, value] as const))
}

/** What is asked of an episode most often, in seconds. */
export function times({ startedAtMs, triggeredAtMs, endedAtMs }: Episode): (number | null)[] {
  return [startedAtMs / 1_000, triggeredAtMs / 1_000, endedAtMs === null ? null : endedAtMs / 1_000]
}

/** Temperature above a limit in °C, for so many seconds (absent = the confirm time of the evaluator). */
export function above(
  celsius: number,
  seconds: number | null,
  hysteresis = 0.5,
  inclusive = false,
): Condition {
  return limit('temperature_above', { celsius, seconds, hysteresis, inclusive })
}

export function below(
  celsius: number,
  seconds: number | null,
  hysteresis = 0.5,
  inclusive = false,
): Condition {
  return limit('temperature_below', { celsius, seconds, hysteresis, inclusive })
}

function limit(
  type: 'temperature_above' | 'temperature_below',
  given: { celsius: number; seconds: number | null; hysteresis: number; inclusive: boolean },
): Condition {
  const { celsius, seconds, hysteresis, inclusive } = given
  return {
    type,
    limitCenti: celsius * 100,
    hysteresisCenti: hysteresis * 100,
    inclusive,
    forMs: seconds === null ? null : seconds * 1_000,
  }
}
