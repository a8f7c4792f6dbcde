import type { RuleHistoryRow, UnitRow } from '../../db/evaluation/config-rows.ts'
import { ALERT_TYPES, type ConditionType } from '../../db/fleet/conditions.ts'
import type { CandidateRule, EnabledVersion, UnitPeriod } from './cascade.ts'
import { parseCondition } from './condition.ts'

/** Which limit acts as which rule. */
const LIMITS = [
  { field: 'temp_max', conditionType: 'temperature_above' },
  { field: 'temp_min', conditionType: 'temperature_below' },
] as const

/**
 * The rules of a history, which is in order of rule and version. One whose type was changed is one rule for each type.
 * A version that cannot be judged is told to `onDefect`, and is as if it were disabled.
 */
export function rulesOf(
  history: readonly RuleHistoryRow[],
  onDefect: (message: string) => void,
): CandidateRule[] {
  return [...Map.groupBy(history, ({ ruleId }) => ruleId).values()].flatMap((rows) =>
    rulesOfOne(rows, onDefect),
  )
}

function rulesOfOne(rows: readonly RuleHistoryRow[], onDefect: (message: string) => void): CandidateRule[] {
  const rules = new Map<ConditionType, CandidateRule & { versions: EnabledVersion[] }>()
  rows.forEach((row, i) => {
    if (!row.values?.enabled) return
    const version = enabledVersion(row, rows[i + 1]?.changedAtMs ?? Infinity, onDefect)
    if (!version || version.fromMs >= version.toMs) return
    const conditionType = version.condition.type
    const rule = rules.get(conditionType) ?? { ...ruleOf(row, conditionType), versions: [] }
    // As it is called now.
    rule.name = row.values.name
    rule.versions.push(version)
    rules.set(conditionType, rule)
  })
  return [...rules.values()]
}

function enabledVersion(
  { ruleId, version, changedAtMs, isFirst, values }: RuleHistoryRow,
  toMs: number,
  onDefect: (message: string) => void,
): EnabledVersion | undefined {
  if (!values) return undefined
  try {
    const condition = parseCondition(values.condition_type, values.condition)
    return { version, fromMs: changedAtMs, toMs, condition, severity: values.severity, isFirst }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    onDefect(`Version ${version} of alert rule ${ruleId}, "${values.name}", is left out: ${reason}`)
    return undefined
  }
}

function ruleOf(row: RuleHistoryRow, conditionType: ConditionType): Omit<CandidateRule, 'versions'> {
  const { ruleId, siteId, unitId, createdAtMs } = row
  const level = unitId !== null ? 'unit' : siteId !== null ? 'site' : 'organization'
  const alertType = ALERT_TYPES[conditionType]
  return { ruleId, name: row.values?.name ?? '', conditionType, alertType, level, siteId, createdAtMs }
}

/**
 * The limits of the unit itself, which act where no rule of their condition type does. One that cannot be judged (SQL has made it
 * so) is told to `onDefect`, and is as if there were none.
 */
export function limitsOf(unit: UnitRow, onDefect: (message: string) => void): CandidateRule[] {
  return LIMITS.map((limit) => ({
    ruleId: null,
    name: limit.field,
    conditionType: limit.conditionType,
    alertType: ALERT_TYPES[limit.conditionType],
    level: 'limit',
    siteId: null,
    createdAtMs: unit.createdAtMs,
    versions: limitVersions(unit, limit, onDefect),
  }))
}

function limitVersions(
  { unitId, periods }: UnitRow,
  { field, conditionType }: (typeof LIMITS)[number],
  onDefect: (message: string) => void,
): EnabledVersion[] {
  // Other settings of the unit change too.
  const changes = periods.filter(({ values }, i) => values[field] !== periods[i - 1]?.values[field])
  return changes.flatMap(({ fromMs, values }, i) => {
    const limit = values[field]
    if (limit === null) return []
    const toMs = changes[i + 1]?.fromMs ?? Infinity
    const version = i + 1
    try {
      const condition = parseCondition(conditionType, { limit })
      return [{ version, fromMs, toMs, condition, severity: 'critical', isFirst: i === 0 }]
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      onDefect(`Version ${version} of ${field} of unit ${unitId} is left out: ${reason}`)
      return []
    }
  })
}

/** When the unit was monitored, and at which site. */
export function unitPeriodsOf({ periods }: UnitRow): UnitPeriod[] {
  const found: UnitPeriod[] = []
  periods.forEach(({ fromMs, values }, i) => {
    const toMs = periods[i + 1]?.fromMs ?? Infinity
    const last = found.at(-1)
    if (!values.is_monitored) return
    if (last?.toMs === fromMs && last.siteId === values.site_id) last.toMs = toMs
    else found.push({ fromMs, toMs, siteId: values.site_id })
  })
  return found
}
