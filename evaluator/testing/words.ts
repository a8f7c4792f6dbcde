import type { AlertFacts, Condition, DeviceConfig, Episode, RuleTrack, RuleVersion } from '../core/types.ts'

const ALERT_TYPES = {
  temperature_above: 'alarm_active',
  temperature_below: 'alarm_active',
  temperature_cumulative: 'alarm_active',
  temperature_n_of_m: 'alarm_active',
  rate_of_change: 'alarm_active',
  no_data: 'monitoring_interrupted',
  door_open: 'door_open',
  battery_below: 'low_battery',
  sensor_fault: 'sensor_fault',
  manual_log_overdue: 'missed_manual_entry',
  calibration_due: 'calibration_due',
} as const

/** Times of tests are written in seconds. */
export const seconds = (value: number): number => value * 1000

/** A version from 0 s on, unless it says otherwise. */
export function versionOf(condition: Condition, other: Partial<RuleVersion> = {}): RuleVersion {
  const fromMs = other.fromMs ?? 0
  return {
    version: 1,
    fromMs,
    toMs: Infinity,
    condition,
    severity: 'warning',
    triggers: { by: 'at', fromMs },
    ...other,
  }
}

/** A rule that has always been in force, or one of the versions given. */
export function trackOf(condition: Condition, versions?: readonly RuleVersion[]): RuleTrack {
  return {
    ruleId: 1,
    name: 'Rule',
    conditionType: condition.type,
    alertType: ALERT_TYPES[condition.type],
    versions: versions ?? [versionOf(condition, { fromMs: -Infinity })],
  }
}

export function deviceOf(other: Partial<DeviceConfig> = {}): DeviceConfig {
  return {
    deviceId: 1,
    hubId: 7,
    deviceType: 'temperature',
    hasTemperature: true,
    intervalMs: [{ fromMs: -Infinity, value: seconds(300) }],
    ...other,
  }
}

/** An episode of device 1 that a rule for 5 °C raised at once. */
export function episodeOf(
  startedAtMs: number,
  endedAtMs: number | null,
  other: Partial<Episode> = {},
): Episode {
  return {
    deviceId: 1,
    ruleId: 1,
    conditionType: 'temperature_above',
    ruleVersion: 1,
    severity: 'critical',
    startedAtMs,
    triggeredAtMs: startedAtMs,
    endedAtMs,
    resolution: endedAtMs === null ? null : 'recovered',
    triggerCenti: 600,
    limitCenti: 500,
    peakCenti: 600,
    confirmedMs: 0,
    unknownMs: 0,
    newestIsGood: endedAtMs !== null,
    ...other,
  }
}

/** An alert of unit 1 that a rule for 5 °C raised at once. */
export function factsOf(
  startedAtMs: number,
  endedAtMs: number | null,
  other: Partial<AlertFacts> = {},
): AlertFacts {
  return {
    unitId: 1,
    hubId: null,
    deviceId: null,
    ruleId: 1,
    ruleVersion: 1,
    conditionType: 'temperature_above',
    alertType: 'alarm_active',
    severity: 'critical',
    startedAtMs,
    triggeredAtMs: startedAtMs,
    endedAtMs,
    resolution: endedAtMs === null ? null : 'recovered',
    triggerCenti: 600,
    limitCenti: 500,
    peakCenti: 600,
    confirmedMs: 0,
    unknownMs: 0,
    ...other,
  }
}
