import type { ClientBase } from 'pg'
import { epochMs } from './instants.ts'

type Queryable = Pick<ClientBase, 'query'>

/** From then on, until the next one; epoch milliseconds, -Infinity for the first. */
interface ConfigPeriod<T> {
  fromMs: number
  values: T
}

interface UnitSettings {
  temp_min: number | null
  temp_max: number | null
  site_id: number
  /** Enabled, and the unit not deleted. */
  is_monitored: boolean
}

interface DeviceSettings {
  reporting_interval_seconds: number | null
}

export interface UnitRow {
  unitId: number
  organizationId: number
  siteId: number
  tempMin: number | null
  tempMax: number | null
  manualMonitoringRequired: boolean
  monitoringEnabled: boolean
  timezone: string
  createdAtMs: number
  isDeleted: boolean
  /** Oldest first. */
  periods: ConfigPeriod<UnitSettings>[]
}

export interface DeviceRow {
  deviceId: number
  /** In which it stands or stood. */
  unitId: number
  hubId: number | null
  deviceType: string
  /** When it left the unit or was deleted; Infinity while it stands there. */
  leftAtMs: number
  periods: ConfigPeriod<DeviceSettings>[]
}

/** A row of `alert_rules_history`: what a rule was from then on; `values` is null where it was deleted. */
export interface RuleHistoryRow {
  ruleId: number
  organizationId: number
  siteId: number | null
  unitId: number | null
  /** Of the rule's row. */
  createdAtMs: number
  version: number
  changedAtMs: number
  isFirst: boolean
  values: {
    name: string
    severity: 'info' | 'warning' | 'critical'
    condition_type: string
    condition: unknown
    enabled: boolean
  } | null
}

/**
 * These units, or all when none are named, in order of id. Live are those that are not deleted, and those whose alerts have still to
 * end because they are.
 */
export async function loadUnits(
  db: Queryable,
  unitIds: readonly number[] | undefined,
  { isLiveOnly }: { isLiveOnly: boolean },
): Promise<UnitRow[]> {
  const { rows } = await db.query<UnitRow>(
    `SELECT u.id AS "unitId", u.organization_id AS "organizationId", a.site_id AS "siteId",
       u.temp_min::float8 AS "tempMin", u.temp_max::float8 AS "tempMax",
       u.manual_monitoring_required AS "manualMonitoringRequired", u.monitoring_enabled AS "monitoringEnabled",
       coalesce(s.timezone, o.timezone) AS timezone, ${epochMs('u.created_at')} AS "createdAtMs",
       u.deleted_at IS NOT NULL AS "isDeleted", ${periodsOf('unit', 'u.id')} AS periods
     FROM public.units u
     JOIN public.areas a ON a.id = u.area_id JOIN public.sites s ON s.id = a.site_id
     JOIN public.organizations o ON o.id = u.organization_id
     WHERE ($1::int[] IS NULL OR u.id = ANY ($1)) AND ($2 OR u.deleted_at IS NULL OR u.id IN (
       SELECT unit_id FROM public.alerts WHERE status IN ('active', 'acknowledged', 'escalated')))
     ORDER BY u.id`,
    [unitIds ?? null, !isLiveOnly],
  )
  return rows.map((row) => ({
    ...row,
    createdAtMs: Math.round(row.createdAtMs),
    periods: fromBeginning(row.periods),
  }))
}

/** The devices that stand or stood in these units, in order of unit and device. */
export async function loadDevices(db: Queryable, unitIds: readonly number[]): Promise<DeviceRow[]> {
  const { rows } = await db.query<DeviceRow>(
    `SELECT d.id AS "deviceId", stay.unit_id AS "unitId", d.hub_id AS "hubId", d.device_type AS "deviceType",
       ${epochMs(`least(stay.left_at, d.deleted_at)`)} AS "leftAtMs", ${periodsOf('device', 'd.id')} AS periods
     FROM (
       SELECT device_id, unit_id, max(valid_to) AS left_at FROM pipeline.device_assignments
       WHERE unit_id = ANY ($1::int[]) GROUP BY device_id, unit_id) stay
     JOIN public.devices d ON d.id = stay.device_id
     ORDER BY stay.unit_id, d.id`,
    [unitIds],
  )
  return rows.map((row) => ({
    ...row,
    leftAtMs: Math.round(row.leftAtMs),
    periods: fromBeginning(row.periods),
  }))
}

/** The history of all rules that may apply to one of these units, in order of rule and version. */
export async function loadRuleHistory(db: Queryable, units: readonly UnitRow[]): Promise<RuleHistoryRow[]> {
  const { rows } = await db.query<RuleHistoryRow>(
    `SELECT r.id AS "ruleId", r.organization_id AS "organizationId", r.site_id AS "siteId", r.unit_id AS "unitId",
       ${epochMs('r.created_at')} AS "createdAtMs", h.version, ${epochMs('h.changed_at')} AS "changedAtMs",
       h.old_values IS NULL AND row_number() OVER (PARTITION BY r.id ORDER BY h.version) = 1 AS "isFirst",
       h.new_values AS values
     FROM public.alert_rules r JOIN public.alert_rules_history h ON h.rule_id = r.id
     WHERE r.organization_id = ANY ($1::int[]) AND (r.unit_id IS NULL OR r.unit_id = ANY ($2::int[]))
     ORDER BY r.id, h.version`,
    [[...new Set(units.map(({ organizationId }) => organizationId))], units.map(({ unitId }) => unitId)],
  )
  return rows.map((row) => ({
    ...row,
    createdAtMs: Math.round(row.createdAtMs),
    changedAtMs: Math.round(row.changedAtMs),
  }))
}

/** As JSON, whose numbers have no infinity: null stands for the beginning. */
function periodsOf(entity: 'unit' | 'device', id: string): string {
  return `(
    SELECT json_agg(json_build_object(
      'fromMs', CASE WHEN isfinite(valid_from) THEN ${epochMs('valid_from')} END, 'values', "values") ORDER BY valid_from)
    FROM pipeline.config_history WHERE entity = '${entity}' AND entity_id = ${id})`
}

function fromBeginning<T>(periods: readonly { fromMs: number | null; values: T }[]): ConfigPeriod<T>[] {
  return periods.map(({ fromMs, values }) => ({
    fromMs: fromMs === null ? -Infinity : Math.round(fromMs),
    values,
  }))
}
