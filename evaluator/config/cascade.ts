import type { AlertType, ConditionType, RuleTrack, RuleVersion } from '../core/types.ts'

/** Event time, from `fromMs` to before `toMs`. */
interface Period {
  fromMs: number
  toMs: number
}

/** A version of a rule while it is enabled. */
export interface EnabledVersion extends Period, Pick<RuleVersion, 'version' | 'condition' | 'severity'> {
  /** Whether the rule came into being with it. */
  isFirst: boolean
}

/** A rule that may apply to a unit, with its enabled versions in order of time. */
export interface CandidateRule extends Omit<RuleTrack, 'versions'> {
  alertType: AlertType
  /** `limit`: a limit of the unit itself. */
  level: 'unit' | 'site' | 'organization' | 'limit'
  /** Of a rule of a site. */
  siteId: number | null
  /** When its row was made, or the unit's; by the database's clock, as one transaction makes many. Epoch milliseconds. */
  createdAtMs: number
  versions: readonly EnabledVersion[]
}

/** Where the unit stood; it is not monitored outside of these periods, which are in order of time. */
export interface UnitPeriod extends Period {
  siteId: number
}

interface Held extends Period {
  version: EnabledVersion
}

type HeldBy = ReadonlyMap<CandidateRule, Held[]>

const LEVELS = ['unit', 'site', 'organization', 'limit'] as const

/**
 * The rules that apply to one unit: at each time, of each condition type, those of the narrowest level that has an enabled
 * one. The first rule of its condition type reaches back to the beginning, for what arrives after it was made.
 */
export function tracksOf(rules: readonly CandidateRule[], unit: readonly UnitPeriod[]): RuleTrack[] {
  const byType = Map.groupBy(rules, ({ conditionType }): ConditionType => conditionType)
  return [...byType.values()].flatMap((group) => tracksOfType(group, unit))
}

function tracksOfType(rules: readonly CandidateRule[], unit: readonly UnitPeriod[]): RuleTrack[] {
  const heldBy: HeldBy = new Map(rules.map((rule) => [rule, []]))
  for (const slice of slicesOf(rules, unit)) {
    for (const [rule, version] of inForce(rules, slice)) hold(heldBy.get(rule) ?? [], slice, version)
  }
  const firstMs = Math.min(...ruled(heldBy).map(([, [first]]) => first?.fromMs ?? Infinity))
  const reachBack = new Set(rules.filter((rule) => reachesBack(rule, { heldBy, firstMs, unit })))
  return rules.flatMap((rule) => {
    const held = heldBy.get(rule) ?? []
    // What reaches back takes the place of the unit's own limit.
    const left =
      rule.level === 'limit' && reachBack.size > 0 ? held.filter(({ fromMs }) => fromMs >= firstMs) : held
    const versions = left.map((period, i) => toVersion(rule, period, i === 0 && reachBack.has(rule)))
    const { ruleId, name, conditionType, alertType } = rule
    return versions.length > 0 ? [{ ruleId, name, conditionType, alertType, versions }] : []
  })
}

/** The unit's periods, cut wherever a version begins or ends. */
function slicesOf(rules: readonly CandidateRule[], unit: readonly UnitPeriod[]): UnitPeriod[] {
  const bounds = rules.flatMap(({ versions }) => versions.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))
  const cuts = [...new Set(bounds)].sort((a, b) => a - b)
  return unit.flatMap(({ fromMs, toMs, siteId }) => {
    const edges = [fromMs, ...cuts.filter((cut) => cut > fromMs && cut < toMs), toMs]
    return edges.slice(1).map((edge, i) => ({ fromMs: edges[i] ?? edge, toMs: edge, siteId }))
  })
}

/** The rules of the narrowest level that has one in this slice, which no version begins or ends in. */
function inForce(
  rules: readonly CandidateRule[],
  slice: UnitPeriod,
): (readonly [CandidateRule, EnabledVersion])[] {
  const enabled = rules.flatMap((rule) => {
    if (!isInScope(rule, slice)) return []
    const version = rule.versions.find(({ fromMs, toMs }) => fromMs <= slice.fromMs && slice.fromMs < toMs)
    return version ? [[rule, version] as const] : []
  })
  const level = LEVELS.find((candidate) => enabled.some(([rule]) => rule.level === candidate))
  return enabled.filter(([rule]) => rule.level === level)
}

function isInScope({ level, siteId }: CandidateRule, unit: UnitPeriod): boolean {
  return level !== 'site' || siteId === unit.siteId
}

/** Adds the slice to the period before it where that goes on. */
function hold(held: Held[], { fromMs, toMs }: Period, version: EnabledVersion): void {
  const last = held.at(-1)
  if (last?.version === version && last.toMs === fromMs) last.toMs = toMs
  else held.push({ fromMs, toMs, version })
}

function ruled(heldBy: HeldBy): [CandidateRule, Held[]][] {
  return [...heldBy].filter(([{ level }]) => level !== 'limit')
}

/**
 * Whether nothing of its condition type held before this rule was made: no other rule, and no limit of the unit, unless that
 * was set together with the rule. Where the unit was not monitored or out of its scope before, it begins when it began.
 */
function reachesBack(
  rule: CandidateRule,
  { heldBy, firstMs, unit }: { heldBy: HeldBy; firstMs: number; unit: readonly UnitPeriod[] },
): boolean {
  const first = heldBy.get(rule)?.[0]
  if (rule.level === 'limit' || !first?.version.isFirst) return false
  if (first.fromMs !== firstMs || first.version.fromMs !== firstMs) return false
  const past = unit.filter(({ fromMs }) => fromMs < firstMs)
  const hasPast =
    past[0]?.fromMs === -Infinity &&
    past.every((period, i) => {
      const next = past[i + 1]
      return isInScope(rule, period) && (next ? next.fromMs === period.toMs : period.toMs >= firstMs)
    })
  const hadLimit = [...heldBy].some(([{ level, createdAtMs }, [limit]]) => {
    if (level !== 'limit' || !limit || limit.fromMs >= firstMs) return false
    return (limit.version.isFirst ? createdAtMs : limit.fromMs) < rule.createdAtMs
  })
  return hasPast && !hadLimit
}

function toVersion(rule: CandidateRule, { fromMs, toMs, version }: Held, isBack: boolean): RuleVersion {
  const isLimit = rule.level === 'limit' && fromMs === -Infinity
  return {
    version: version.version,
    fromMs: isBack ? -Infinity : fromMs,
    toMs,
    condition: version.condition,
    severity: version.severity,
    triggers: { by: isBack || isLimit ? 'received' : 'at', fromMs },
  }
}
