import type { ClientBase } from 'pg'
import type { alertSeverity, alertStatus, alertType } from '../schema/index.ts'

/** An alert with the names that operators know; named as in the message about it. Times are epoch milliseconds. */
export interface AlertFactsRow {
  alertId: number
  slug: string
  alert: string
  unit: string | null
  unit_name: string | null
  site: string | null
  site_name: string | null
  hub: string | null
  hub_name: string | null
  device: string | null
  device_name: string | null
  rule: string | null
  rule_name: string | null
  rule_version: number | null
  type: (typeof alertType.enumValues)[number]
  condition: string
  severity: (typeof alertSeverity.enumValues)[number]
  status: (typeof alertStatus.enumValues)[number]
  started_at: number
  triggered_at: number
  ended_at: number | null
  detected_at: number
  value: number | null
  limit: number | null
  peak: number | null
  confirmed_seconds: number
  unknown_seconds: number
  retrospective: boolean
  unproven: boolean
  resolution: 'recovered' | 'by_person' | 'rule_changed' | 'withdrawn' | null
  paged: boolean
}

/** These alerts as they are now, also within the transaction that changes them. */
export async function readAlertFacts(
  client: ClientBase,
  alertIds: readonly number[],
): Promise<AlertFactsRow[]> {
  const { rows } = await client.query<AlertFactsRow>(
    `SELECT a.id AS "alertId", o.slug, a.public_id AS alert, u.public_id AS unit, u.name AS unit_name,
       s.public_id AS site, s.name AS site_name, h.key AS hub, h.name AS hub_name, d.device_eui AS device,
       d.name AS device_name, r.public_id AS rule, r.name AS rule_name, a.rule_version, a.alert_type AS type,
       a.condition_type AS condition, a.severity, a.status,
       (extract(epoch FROM a.started_at) * 1000)::float8 AS started_at,
       (extract(epoch FROM a.triggered_at) * 1000)::float8 AS triggered_at,
       (extract(epoch FROM a.ended_at) * 1000)::float8 AS ended_at,
       (extract(epoch FROM a.detected_at) * 1000)::float8 AS detected_at,
       a.trigger_value::float8 AS value, a.limit_value::float8 AS "limit", a.peak_value::float8 AS peak,
       a.confirmed_seconds, a.unknown_seconds, a.retrospective, a.unproven, a.resolution,
       a.paged_at IS NOT NULL AS paged
     FROM public.alerts a
     JOIN public.organizations o ON o.id = a.organization_id
     LEFT JOIN public.units u ON u.id = a.unit_id
     LEFT JOIN public.areas ar ON ar.id = u.area_id
     LEFT JOIN public.hubs h ON h.id = a.hub_id
     LEFT JOIN public.sites s ON s.id = coalesce(ar.site_id, h.site_id)
     LEFT JOIN public.devices d ON d.id = a.device_id
     LEFT JOIN public.alert_rules r ON r.id = a.rule_id
     WHERE a.id = ANY ($1)`,
    [alertIds],
  )
  return rows
}
