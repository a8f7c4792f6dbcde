import type { ClientBase } from 'pg'
import type { StoredFacts } from './alert-rows.ts'

/** Facts that a row says from now on. */
export interface FactsUpdate {
  id: number
  facts: StoredFacts
  /**
   * `keep`: as it is; `resolve`: it is over; `reopen`: it is not. What a person has resolved stays so.
   */
  status: 'keep' | 'resolve' | 'reopen'
  retrospective: boolean
}

const FACTS: Readonly<Record<string, [type: string, value: (facts: StoredFacts) => unknown]>> = {
  rule_version: ['int4', ({ ruleVersion }) => ruleVersion],
  severity: ['alert_severity', ({ severity }) => severity],
  started_at: ['timestamptz', ({ startedAtMs }) => new Date(startedAtMs)],
  triggered_at: ['timestamptz', ({ triggeredAtMs }) => new Date(triggeredAtMs)],
  ended_at: ['timestamptz', ({ endedAtMs }) => (endedAtMs === null ? null : new Date(endedAtMs))],
  resolution: ['text', ({ resolution }) => resolution],
  trigger_value: ['numeric', ({ triggerCenti }) => fromCenti(triggerCenti)],
  limit_value: ['numeric', ({ limitCenti }) => fromCenti(limitCenti)],
  peak_value: ['numeric', ({ peakCenti }) => fromCenti(peakCenti)],
  confirmed_seconds: ['int4', ({ confirmedMs }) => wholeSeconds(confirmedMs)],
  unknown_seconds: ['int4', ({ unknownMs }) => wholeSeconds(unknownMs)],
}
const SUBJECT: typeof FACTS = {
  unit_id: ['int4', ({ unitId }) => unitId],
  hub_id: ['int4', ({ hubId }) => hubId],
  device_id: ['int4', ({ deviceId }) => deviceId],
  rule_id: ['int4', ({ ruleId }) => ruleId],
  condition_type: ['text', ({ conditionType }) => conditionType],
  alert_type: ['alert_type', ({ alertType }) => alertType],
}

const given = (columns: typeof FACTS, first: number) =>
  Object.values(columns).map(([type], index) => `$${index + first}::${type}[]`)

const plainFacts = Object.keys(FACTS).filter((name) => name !== 'resolution')

const UPDATE = `
  UPDATE public.alerts a SET ${plainFacts.map((name) => `${name} = g.${name}`).join(', ')},
    unproven = false, evidence_at = $1::timestamptz,
    retrospective = g.retrospective,
    resolution = CASE WHEN a.resolution = 'by_person' THEN 'by_person' ELSE g.resolution END,
    resolved_at = CASE g.change WHEN 'resolve' THEN $1::timestamptz WHEN 'reopen' THEN NULL ELSE a.resolved_at END,
    status = CASE g.change
      WHEN 'resolve' THEN 'resolved'
      WHEN 'reopen' THEN CASE WHEN a.acknowledged_at IS NOT NULL THEN 'acknowledged'
        WHEN a.escalated_at IS NOT NULL THEN 'escalated' ELSE 'active' END
      ELSE a.status::text END::alert_status
  FROM unnest($2::int4[], $3::text[], $4::bool[], ${given(FACTS, 5).join(', ')})
    AS g (id, change, retrospective, ${Object.keys(FACTS).join(', ')})
  WHERE a.id = g.id`

/** Gives rows other facts; they are proven then. */
export async function updateAlerts(
  client: ClientBase,
  updates: readonly FactsUpdate[],
  nowMs: number,
): Promise<void> {
  if (updates.length === 0) return
  await client.query(UPDATE, [
    new Date(nowMs),
    updates.map(({ id }) => id),
    updates.map(({ status }) => status),
    updates.map(({ retrospective }) => retrospective),
    ...Object.values(FACTS).map(([, value]) => updates.map(({ facts }) => value(facts))),
  ])
}

export interface NewAlert {
  organizationId: number
  facts: StoredFacts
  /** Over when it was first detected: it begins resolved. */
  retrospective: boolean
}

const INSERT = `
  INSERT INTO public.alerts (organization_id, detected_at, evidence_at, retrospective, status, resolved_at,
    ${[...Object.keys(SUBJECT), ...Object.keys(FACTS)].join(', ')})
  SELECT organization_id, $1::timestamptz, $1::timestamptz, retrospective,
    CASE WHEN ended_at IS NULL THEN 'active' ELSE 'resolved' END::alert_status, CASE WHEN ended_at IS NOT NULL THEN $1::timestamptz END,
    ${[...Object.keys(SUBJECT), ...Object.keys(FACTS)].join(', ')}
  FROM unnest($2::int4[], $3::bool[], ${[...given(SUBJECT, 4), ...given(FACTS, 4 + Object.keys(SUBJECT).length)].join(', ')})
    WITH ORDINALITY
    AS g (organization_id, retrospective, ${[...Object.keys(SUBJECT), ...Object.keys(FACTS)].join(', ')}, place)
  ORDER BY place RETURNING id`

/** Adds alerts; returns their ids in the same order. */
export async function insertAlerts(
  client: ClientBase,
  alerts: readonly NewAlert[],
  nowMs: number,
): Promise<number[]> {
  if (alerts.length === 0) return []
  const { rows } = await client.query<{ id: number }>(INSERT, [
    new Date(nowMs),
    alerts.map(({ organizationId }) => organizationId),
    alerts.map(({ retrospective }) => retrospective),
    ...Object.values({ ...SUBJECT, ...FACTS }).map(([, value]) => alerts.map(({ facts }) => value(facts))),
  ])
  return rows.map(({ id }) => id)
}

/** Late data took their proof, but their devices are still out. */
export async function markUnproven(client: ClientBase, ids: readonly number[], nowMs: number): Promise<void> {
  if (ids.length === 0) return
  await client.query('UPDATE public.alerts SET unproven = true, evidence_at = $2 WHERE id = ANY ($1)', [
    ids,
    new Date(nowMs),
  ])
}

/** The data do not support them. */
export async function withdrawAlerts(
  client: ClientBase,
  ids: readonly number[],
  nowMs: number,
): Promise<void> {
  if (ids.length === 0) return
  await client.query(
    `UPDATE public.alerts
     SET status = 'resolved', resolution = 'withdrawn', resolved_at = coalesce(resolved_at, $2::timestamptz),
       evidence_at = $2::timestamptz
     WHERE id = ANY ($1)`,
    [ids, new Date(nowMs)],
  )
}

const HUNDREDTHS = 100
const SECOND_MS = 1_000

function fromCenti(centi: number | null): number | null {
  return centi === null ? null : centi / HUNDREDTHS
}

function wholeSeconds(ms: number): number {
  return Math.floor(ms / SECOND_MS)
}
