import type { Condition as FleetCondition } from '../../db/fleet/conditions.ts'
import type { Fleet } from '../../db/fleet/fleet-file.ts'
import { parseFleet } from '../../db/fleet/parse.ts'
import { expandRule, type PlainRule } from '../../db/fleet/rules.ts'
import type {
  Condition,
  DeviceConfig,
  DoorInput,
  Input,
  ReadingInput,
  RuleTrack,
  Severity,
  UnitConfig,
} from '../core/types.ts'
import type { Scenario, ScenarioMessage } from './scenario-files.ts'

const DEFAULT_INTERVAL_SECONDS = 300
const LIMIT_HYSTERESIS_CENTI = 50

/** A scenario as the evaluator sees it: units with names, and numbers for its devices and hubs. */
export interface ScenarioUnits {
  units: readonly { name: string; config: UnitConfig }[]
  deviceIds: ReadonlyMap<string, number>
  hubIds: ReadonlyMap<string, number>
}

/** What the rules of a scenario's fleet file come to for each of its units. They are made before anything arrives. */
export function unitsOf(scenario: Scenario): ScenarioUnits {
  const fleet = parseFleet(JSON.stringify(scenario.fleetFile), scenario.id)
  const hubIds = new Map(fleet.sites.flatMap(({ hubs }) => hubs).map(({ key }, index) => [key, 101 + index]))
  const placed = fleet.sites.flatMap((site, siteIndex) =>
    site.areas.flatMap(({ units }) => units.map((unit) => ({ site, siteId: 51 + siteIndex, unit }))),
  )
  const deviceIds = new Map(
    placed.flatMap(({ unit }) => unit.devices).map((device, index) => [device.device_eui, 11 + index]),
  )
  const units = placed.map(({ site, siteId, unit }, index) => {
    const devices = unit.devices.map((device): DeviceConfig => {
      const seconds = device.reporting_interval_seconds ?? DEFAULT_INTERVAL_SECONDS
      return {
        deviceId: deviceIds.get(device.device_eui) ?? 0,
        hubId: hubIds.get(device.hub ?? '') ?? null,
        deviceType: device.device_type,
        hasTemperature: device.device_type !== 'door',
        intervalMs: [{ fromMs: Number.NEGATIVE_INFINITY, value: seconds * 1000 }],
      }
    })
    const config: UnitConfig = {
      unitId: 1 + index,
      organizationId: 1,
      siteId,
      tempMinCenti: centiOrNull(unit.temp_min),
      tempMaxCenti: centiOrNull(unit.temp_max),
      manualMonitoringRequired: unit.manual_monitoring_required ?? false,
      monitoringEnabled: unit.monitoring_enabled ?? true,
      timezone: site.timezone ?? fleet.organization.timezone ?? 'UTC',
      devices,
      tracks: tracksOf(fleet, { site: site.name, unit: unit.name, limits: [unit.temp_min, unit.temp_max] }),
    }
    return { name: unit.name, config }
  })
  return { units, deviceIds, hubIds }
}

/** The readings and door events of a message, when the beginning of the scenario is at `startMs`. */
export function inputsOf(message: ScenarioMessage, startMs: number, deviceIds: ReadonlyMap<string, number>) {
  const times = (atSeconds: number) => {
    const recordedAtMs = startMs + atSeconds * 1000
    const receivedAtMs = startMs + message.recv * 1000
    return { recordedAtMs, receivedAtMs, atMs: Math.min(recordedAtMs, receivedAtMs) }
  }
  const deviceId = (devEui: string) => deviceIds.get(devEui) ?? Number.NaN
  const inputs: Input[] = []
  if (message.kind === 'readings') {
    for (const { device, at, temperature, battery, fault } of message.payload.readings) {
      const hasTemperature = temperature !== undefined && fault === undefined
      const reading: ReadingInput = {
        kind: 'reading',
        deviceId: deviceId(device),
        ...times(at),
        temperatureCenti: hasTemperature ? centi(temperature) : null,
        battery: battery ?? null,
        fault: fault ?? null,
      }
      inputs.push(reading)
    }
  } else if (message.kind === 'doors') {
    for (const { device, at, state } of message.payload.events) {
      const door: DoorInput = {
        kind: 'door',
        deviceId: deviceId(device),
        ...times(at),
        isOpen: state === 'open',
      }
      inputs.push(door)
    }
  }
  return inputs
}

interface Place {
  site: string
  unit: string
  limits: readonly [number | null | undefined, number | null | undefined]
}

/** The cascade: of each condition type the rules of the narrowest level that has one; then the unit's own limits. */
function tracksOf(fleet: Fleet, { site, unit, limits }: Place): RuleTrack[] {
  const rules = fleet.alert_rules.flatMap((rule, index) =>
    expandRule(rule).map((plain) => ({ ...plain, name: rule.name, ruleId: 201 + index })),
  )
  const levels: ((scope: PlainRule['scope']) => boolean)[] = [
    (scope) => scope?.site === site && scope.unit === unit,
    (scope) => scope?.site === site && scope.unit === undefined,
    (scope) => !scope,
  ]
  const types = new Set(rules.map(({ conditionType }) => conditionType))
  const tracks = [...types].flatMap((type) => {
    const ofType = rules.filter(({ conditionType, enabled }) => conditionType === type && enabled !== false)
    const level = levels.find((isAt) => ofType.some(({ scope }) => isAt(scope)))
    return level ? ofType.filter(({ scope }) => level(scope)).map((rule) => trackOf(rule)) : []
  })
  const [tempMin, tempMax] = limits
  const isFree = (type: string) => tracks.every(({ conditionType }) => conditionType !== type)
  if (isFree('temperature_above')) tracks.push(...limitTracks('temperature_above', tempMax))
  if (isFree('temperature_below')) tracks.push(...limitTracks('temperature_below', tempMin))
  return tracks
}

function limitTracks(
  type: 'temperature_above' | 'temperature_below',
  limit: number | null | undefined,
): RuleTrack[] {
  if (limit === null || limit === undefined) return []
  const condition: Condition = {
    type,
    limitCenti: centi(limit),
    hysteresisCenti: LIMIT_HYSTERESIS_CENTI,
    inclusive: false,
    forMs: null,
  }
  return [
    {
      ruleId: null,
      name: type,
      conditionType: type,
      alertType: 'alarm_active',
      versions: [always(condition, 'critical')],
    },
  ]
}

function trackOf(rule: PlainRule & { ruleId: number }): RuleTrack {
  const { ruleId, name, conditionType, alertType, severity } = rule
  const condition = conditionOf({ type: conditionType, ...rule.condition } as FleetCondition)
  return { ruleId, name, conditionType, alertType, versions: [always(condition, severity)] }
}

function always(condition: Condition, severity: Severity): RuleTrack['versions'][number] {
  return {
    version: 1,
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
    condition,
    severity,
    triggers: { by: 'received', fromMs: 0 },
  }
}

/** From the words of a fleet file, in seconds and °C. */
function conditionOf(condition: FleetCondition): Condition {
  switch (condition.type) {
    case 'temperature_above':
    case 'temperature_below':
      return {
        type: condition.type,
        limitCenti: centi(condition.limit),
        hysteresisCenti: centi(condition.hysteresis),
        inclusive: condition.inclusive,
        forMs: condition.for_seconds === undefined ? null : condition.for_seconds * 1000,
      }
    case 'temperature_cumulative':
      return {
        type: condition.type,
        direction: condition.direction,
        limitCenti: centi(condition.limit),
        totalMs: condition.total_seconds * 1000,
        windowMs: condition.window_seconds * 1000,
      }
    case 'temperature_n_of_m': {
      const { type, direction, n, m } = condition
      return { type, direction, limitCenti: centi(condition.limit), n, m }
    }
    case 'rate_of_change': {
      const { type, direction, delta, window_seconds } = condition
      return { type, direction, deltaCenti: centi(delta), windowMs: window_seconds * 1000 }
    }
    case 'door_open':
      return { type: condition.type, forMs: condition.for_seconds * 1000 }
    case 'sensor_fault':
      return sensorFaultOf(condition)
    case 'manual_log_overdue':
      return { type: condition.type, afterMs: condition.after_seconds * 1000 }
    case 'calibration_due':
      return { type: condition.type, daysAhead: condition.days_ahead }
    default:
      return condition
  }
}

function sensorFaultOf(condition: Extract<FleetCondition, { type: 'sensor_fault' }>): Condition {
  const { type, kind } = condition
  if (kind === 'jump') return { type, kind, maxStepCenti: centi(condition.max_step) }
  const forMs = condition.for_seconds * 1000
  return kind === 'stuck' ? { type, kind, forMs, minReadings: condition.min_readings } : { type, kind, forMs }
}

function centi(value: number): number {
  return Math.round(value * 100)
}

function centiOrNull(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : centi(value)
}
