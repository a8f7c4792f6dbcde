import type { ClientBase } from 'pg'
import type { alertType } from '../schema/index.ts'
import type { EpisodeFacts, EpisodeScope } from './episodes.ts'
import { epochMs } from './instants.ts'

/** What a row of `alerts` says, apart from its journal: the union of overlapping episodes of a unit (or device) and rule. */
export interface StoredFacts extends EpisodeFacts {
  unitId: number | null
  hubId: number | null
  /** Where it is about one device (silence, battery, sensor fault, calibration), else null. */
  deviceId: number | null
  ruleVersion: number | null
  alertType: (typeof alertType.enumValues)[number]
}

/** A row that is not withdrawn. */
export interface StoredAlert {
  id: number
  facts: StoredFacts
  /** Null = it is open. */
  resolvedAtMs: number | null
  resolvedBy: 'data' | 'person' | null
  unproven: boolean
  retrospective: boolean
  wasPaged: boolean
}

type Row = Omit<StoredFacts, 'resolution'> &
  Pick<StoredAlert, 'id' | 'resolvedAtMs' | 'unproven' | 'retrospective' | 'wasPaged'> & {
    resolution: 'recovered' | 'rule_changed' | 'by_person' | null
  }

const COLUMNS = `
  a.id, a.unit_id AS "unitId", a.hub_id AS "hubId", a.device_id AS "deviceId", a.rule_id AS "ruleId",
  a.rule_version AS "ruleVersion", a.condition_type AS "conditionType", a.alert_type AS "alertType", a.severity,
  ${epochMs('a.started_at')} AS "startedAtMs", ${epochMs('a.triggered_at')} AS "triggeredAtMs",
  ${epochMs('a.ended_at')} AS "endedAtMs", a.resolution, (a.trigger_value * 100)::integer AS "triggerCenti",
  (a.limit_value * 100)::integer AS "limitCenti", (a.peak_value * 100)::integer AS "peakCenti",
  a.confirmed_seconds::float8 * 1000 AS "confirmedMs", a.unknown_seconds::float8 * 1000 AS "unknownMs",
  ${epochMs('a.resolved_at')} AS "resolvedAtMs", a.unproven, a.retrospective, a.paged_at IS NOT NULL AS "wasPaged"`

/** Alerts of units, in each scope those that are open or end at its time or later. Scopes must be distinct. */
export async function readUnitAlerts(
  client: ClientBase,
  scopes: readonly EpisodeScope[],
): Promise<StoredAlert[]> {
  if (scopes.length === 0) return []
  const { rows } = await client.query<Row>(
    `SELECT ${COLUMNS}
     FROM unnest($1::int4[], $2::int4[], $3::text[], $4::float8[]) AS given (unit_id, rule_id, condition_type, from_ms)
     JOIN public.alerts a ON a.unit_id = given.unit_id AND a.condition_type = given.condition_type
       AND a.rule_id IS NOT DISTINCT FROM given.rule_id
       AND (a.status <> 'resolved' OR coalesce(a.ended_at, a.resolved_at) >= to_timestamp(given.from_ms / 1000))
     WHERE a.resolution IS DISTINCT FROM 'withdrawn'
     ORDER BY a.id`,
    [
      scopes.map(({ unitId }) => unitId),
      scopes.map(({ ruleId }) => ruleId),
      scopes.map(({ conditionType }) => conditionType),
      scopes.map(({ fromMs }) => fromMs),
    ],
  )
  return rows.map(toStored)
}

/** Open alerts of hubs; of these hubs, or of all when none are named. */
export async function readOpenHubAlerts(
  client: ClientBase,
  hubIds: readonly number[] | null,
): Promise<StoredAlert[]> {
  const { rows } = await client.query<Row>(
    `SELECT ${COLUMNS} FROM public.alerts a
     WHERE a.status IN ('active', 'acknowledged', 'escalated') AND a.unit_id IS NULL AND a.device_id IS NULL
       AND a.hub_id IS NOT NULL AND ($1::int4[] IS NULL OR a.hub_id = ANY ($1))
     ORDER BY a.id`,
    [hubIds],
  )
  return rows.map(toStored)
}

function toStored(row: Row): StoredAlert {
  const { id, resolvedAtMs, unproven, retrospective, wasPaged, resolution, ...facts } = row
  const isByPerson = resolution === 'by_person'
  return {
    id,
    resolvedAtMs: roundOrNull(resolvedAtMs),
    resolvedBy: resolvedAtMs === null ? null : isByPerson ? 'person' : 'data',
    unproven,
    retrospective,
    wasPaged,
    facts: {
      ...facts,
      startedAtMs: Math.round(facts.startedAtMs),
      triggeredAtMs: Math.round(facts.triggeredAtMs),
      endedAtMs: roundOrNull(facts.endedAtMs),
      resolution: isByPerson ? null : resolution,
    },
  }
}

const roundOrNull = (ms: number | null) => (ms === null ? null : Math.round(ms))

/** How many alerts are open, by severity. */
export async function countOpenAlerts(client: ClientBase): Promise<Record<string, number>> {
  const { rows } = await client.query<{ severity: string; count: number }>(
    `SELECT severity, count(*)::int AS count FROM public.alerts
     WHERE status IN ('active', 'acknowledged', 'escalated') GROUP BY severity`,
  )
  return Object.fromEntries(rows.map(({ severity, count }) => [severity, count]))
}

/** Scopes in which an open alert has lost its proof: what is heard of their devices decides about them. */
export async function readUnproven(client: ClientBase): Promise<Omit<EpisodeScope, 'fromMs'>[]> {
  const { rows } = await client.query<Omit<EpisodeScope, 'fromMs'>>(
    `SELECT DISTINCT unit_id AS "unitId", rule_id AS "ruleId", condition_type AS "conditionType" FROM public.alerts
     WHERE status IN ('active', 'acknowledged', 'escalated') AND unproven AND unit_id IS NOT NULL`,
  )
  return rows
}
