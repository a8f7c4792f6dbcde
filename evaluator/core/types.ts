import type { StoredFacts } from '../../db/evaluation/alert-rows.ts'
import type { EpisodeRow } from '../../db/evaluation/episodes.ts'
import type { StoredDoor, StoredReading } from '../../db/evaluation/inputs.ts'

/*
 * The words of the evaluator. Times are epoch milliseconds; temperatures are integers of 0.01 °C ("centi"), calibrated.
 * Everything here can be written as JSON, but for the infinite bounds of spans.
 */

/** What a sensor said, ready to be judged. Unique by device and `recordedAtMs`. */
export type ReadingInput = Omit<StoredReading, 'unitId'>

/** Unique by device, `recordedAtMs` and state. */
export type DoorInput = Omit<StoredDoor, 'unitId'>

export type Input = ReadingInput | DoorInput

export type Direction = 'above' | 'below'

export type Condition =
  /** `forMs` null = the confirm time of the evaluator, which is longer while the door is open. */
  | {
      type: 'temperature_above' | 'temperature_below'
      limitCenti: number
      hysteresisCenti: number
      inclusive: boolean
      forMs: number | null
    }
  | {
      type: 'temperature_cumulative'
      direction: Direction
      limitCenti: number
      totalMs: number
      windowMs: number
    }
  | { type: 'temperature_n_of_m'; direction: Direction; limitCenti: number; n: number; m: number }
  | { type: 'rate_of_change'; direction: 'rising' | 'falling'; deltaCenti: number; windowMs: number }
  | { type: 'no_data'; missed: number }
  | { type: 'door_open'; forMs: number }
  | { type: 'battery_below'; limit: number }
  | { type: 'sensor_fault'; kind: 'stuck'; forMs: number; minReadings: number }
  | { type: 'sensor_fault'; kind: 'jump'; maxStepCenti: number }
  | { type: 'sensor_fault'; kind: 'fault'; forMs: number }
  | { type: 'manual_log_overdue'; afterMs: number }
  | { type: 'calibration_due'; daysAhead: number }

export type ConditionType = Condition['type']
export type Severity = EpisodeRow['severity']
export type AlertType = StoredFacts['alertType']

/** A version of a rule while it is in force for a unit: from `fromMs` to before `toMs`, in event time. */
export interface RuleVersion {
  version: number
  fromMs: number
  toMs: number
  condition: Condition
  severity: Severity
  /**
   * It sees what was before, but triggers only at a reading (door, instant) whose time of this kind is not before `fromMs`:
   * `received` where nothing of its condition type was in force before it (then `fromMs` above is -Infinity).
   */
  triggers: { by: 'received' | 'at'; fromMs: number }
}

/**
 * One rule as it applies to one unit, after the cascade: its versions in order of time, not overlapping. A hole between
 * them, or an end, is time in which it does not apply (disabled, deleted, covered by a narrower rule).
 */
export interface RuleTrack {
  /** Of `alert_rules`; null = a limit of the unit itself (`temp_min`, `temp_max`). */
  ruleId: number | null
  name: string
  conditionType: ConditionType
  alertType: AlertType
  versions: readonly RuleVersion[]
}

/** A value from `fromMs` on, until the next one begins. In order; the first begins at -Infinity. */
export interface From<T> {
  fromMs: number
  value: T
}

export interface DeviceConfig {
  deviceId: number
  hubId: number | null
  /** temperature, door, temperature_door, ... */
  deviceType: string
  /** Whether readings of temperature are expected of it: a device for doors alone is exempt from silence. */
  hasTemperature: boolean
  /** Milliseconds between readings; 300,000 where the device has none. */
  intervalMs: readonly From<number>[]
  /** When it left the unit or was deleted: what it said before still counts. Absent while it stands there. */
  leftAtMs?: number
}

/** All that decides about a unit, with its past. Replaced as a whole when something of it changes. */
export interface UnitConfig {
  unitId: number
  organizationId: number
  siteId: number
  tempMinCenti: number | null
  tempMaxCenti: number | null
  manualMonitoringRequired: boolean
  monitoringEnabled: boolean
  /** IANA name of the site's time zone. */
  timezone: string
  devices: readonly DeviceConfig[]
  tracks: readonly RuleTrack[]
  /** Deleted, with alerts that had still to end when this was loaded. Absent while it is there. */
  isGone?: boolean
}

/** One uninterrupted time in which one device was found beyond one rule, from its first reading; raised or ended. */
export interface Episode extends Omit<EpisodeRow, 'unitId'> {
  conditionType: ConditionType
}

/** What a row of `alerts` says, apart from its journal. */
export interface AlertFacts extends StoredFacts {
  conditionType: ConditionType
}
