import type { ClientBase } from 'pg'
import {
  type DeviceRow,
  loadDevices,
  loadRuleHistory,
  loadUnits,
  type UnitRow,
} from '../../db/evaluation/config-rows.ts'
import type { DeviceConfig, UnitConfig } from '../core/types.ts'
import { limitsOf, rulesOf, unitPeriodsOf } from './candidates.ts'
import { type CandidateRule, tracksOf } from './cascade.ts'

const INTERVAL_DEFAULT_MS = 300_000
const SECOND_MS = 1_000

export interface LoadOptions {
  /** Told about a version of a rule that cannot be judged (SQL has made it so); it is left out. */
  onDefect?: (message: string) => void
  /** Leaves out units that are deleted and have no alert left to end, also where they are named. */
  isLiveOnly?: boolean
}

/** What decides about these units, with its past, in order of id; about all live ones when none are named. */
export async function loadUnitConfigs(
  db: Pick<ClientBase, 'query'>,
  unitIds?: readonly number[],
  { onDefect = () => {}, isLiveOnly = unitIds === undefined }: LoadOptions = {},
): Promise<UnitConfig[]> {
  const units = await loadUnits(db, unitIds, { isLiveOnly })
  const devices = await loadDevices(
    db,
    units.map(({ unitId }) => unitId),
  )
  const history = await loadRuleHistory(db, units)
  const devicesOf = Map.groupBy(devices, ({ unitId }) => unitId)
  const rulesOfScope = Map.groupBy(history, ({ organizationId, unitId }) => scopeOf(organizationId, unitId))
  const candidates = new Map([...rulesOfScope].map(([scope, rows]) => [scope, rulesOf(rows, onDefect)]))
  return units.map((unit) => {
    const { unitId, organizationId } = unit
    const wide = candidates.get(scopeOf(organizationId, null)) ?? []
    const own = candidates.get(scopeOf(organizationId, unitId)) ?? []
    const rules = [...wide, ...own, ...limitsOf(unit, onDefect)]
    return toUnitConfig(unit, devicesOf.get(unitId) ?? [], rules)
  })
}

const scopeOf = (organizationId: number, unitId: number | null) => `${organizationId} ${unitId ?? ''}`

function toUnitConfig(
  unit: UnitRow,
  devices: readonly DeviceRow[],
  rules: readonly CandidateRule[],
): UnitConfig {
  return {
    unitId: unit.unitId,
    organizationId: unit.organizationId,
    siteId: unit.siteId,
    tempMinCenti: toCentiOrNull(unit.tempMin),
    tempMaxCenti: toCentiOrNull(unit.tempMax),
    manualMonitoringRequired: unit.manualMonitoringRequired,
    monitoringEnabled: unit.monitoringEnabled,
    timezone: unit.timezone,
    devices: devices.map(toDeviceConfig),
    tracks: tracksOf(rules, unitPeriodsOf(unit)),
    ...(unit.isDeleted ? { isGone: true } : {}),
  }
}

/** A numeric column may hold NaN, which is no limit. */
const toCentiOrNull = (celsius: number | null) =>
  celsius === null || Number.isNaN(celsius) ? null : Math.round(celsius * 100)

function toDeviceConfig({ deviceId, hubId, deviceType, leftAtMs, periods }: DeviceRow): DeviceConfig {
  const intervals = periods.map(({ fromMs, values: { reporting_interval_seconds: seconds } }) => ({
    fromMs,
    value: seconds === null ? INTERVAL_DEFAULT_MS : seconds * SECOND_MS,
  }))
  return {
    deviceId,
    hubId,
    deviceType,
    hasTemperature: deviceType !== 'door',
    // Other settings of the device change too.
    intervalMs: intervals.filter(({ value }, i) => value !== intervals[i - 1]?.value),
    ...(leftAtMs === Infinity ? {} : { leftAtMs }),
  }
}
