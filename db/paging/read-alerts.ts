import type { ClientBase } from 'pg'
import type { alertSeverity, alertStatus } from '../schema/index.ts'

/** What paging needs to know of an alert. Times are epoch milliseconds. */
export interface PagedAlertRow {
  alertId: number
  organizationId: number
  slug: string
  siteId: number | null
  severity: (typeof alertSeverity.enumValues)[number]
  status: (typeof alertStatus.enumValues)[number]
  resolution: 'recovered' | 'by_person' | 'rule_changed' | 'withdrawn' | null
  conditionType: string
  triggeredAtMs: number
  evidenceAtMs: number
  pagedAtMs: number | null
  escalatedAtMs: number | null
  escalationLevel: number
  /** Of its rule: when it may page. */
  schedule: unknown
  timezone: string
  isInMaintenance: boolean
  /** Of the devices that are beyond the rule; of a door or an unproven alert, all devices of the unit. */
  evidence: { newestMs: number | null; isGood: boolean; intervalMs: number }[]
}

export interface ContactRow {
  contactId: number
  publicId: string
  organizationId: number
  /** Null = of every site. */
  siteId: number | null
  profileId: number | null
  level: number
  channels: ('push' | 'email' | 'sms')[]
  email: string | null
  phone: string | null
  /** As the person's preferences have them. */
  quietHours: unknown
}

/** Milliseconds, where a device has no interval of its own. */
const INTERVAL_MS = 300_000

/** The newest reading of a device; `s` is its state, `d` the device. */
const evidence = (isGood: string) => `json_agg(json_build_object(
    'newestMs', (extract(epoch FROM st.newest_at) * 1000)::float8, 'isGood', ${isGood},
    'intervalMs', coalesce(d.reporting_interval_seconds * 1000, ${INTERVAL_MS})))`

const OF_RUNNING_EPISODES = `
  SELECT ${evidence('e.newest_is_good')}
  FROM pipeline.rule_episodes e
  JOIN public.devices d ON d.id = e.device_id
  LEFT JOIN pipeline.rule_states st ON st.unit_id = e.unit_id AND st.device_id = e.device_id
  WHERE e.unit_id = a.unit_id AND e.condition_type = a.condition_type AND e.rule_id IS NOT DISTINCT FROM a.rule_id
    AND e.ended_at IS NULL AND e.device_id = coalesce(a.device_id, e.device_id) AND a.condition_type <> 'door_open'`

const OF_THE_UNIT = `
  SELECT ${evidence('false')}
  FROM pipeline.rule_states st
  JOIN public.devices d ON d.id = st.device_id
  WHERE st.unit_id = a.unit_id AND st.device_id = coalesce(a.device_id, st.device_id)`

/** $1 is now. `alerts`: those that are looked at, as `a`. Joined in the order in which they are written: all else comes behind these. */
const alertsOf = (alerts: string) => `
  SELECT a.id AS "alertId", a.organization_id AS "organizationId", o.slug, s.id AS "siteId", a.severity, a.status,
    a.resolution, a.condition_type AS "conditionType", r.schedule, coalesce(s.timezone, o.timezone) AS timezone,
    a.escalation_level AS "escalationLevel",
    (extract(epoch FROM a.triggered_at) * 1000)::float8 AS "triggeredAtMs",
    (extract(epoch FROM coalesce(a.evidence_at, a.detected_at)) * 1000)::float8 AS "evidenceAtMs",
    (extract(epoch FROM a.paged_at) * 1000)::float8 AS "pagedAtMs",
    (extract(epoch FROM a.escalated_at) * 1000)::float8 AS "escalatedAtMs",
    EXISTS (
      SELECT FROM pipeline.maintenance_windows w
      WHERE w.organization_id = a.organization_id AND w.starts_at <= $1 AND $1 < w.ends_at
        AND (w.site_id IS NULL OR w.site_id = s.id) AND (w.unit_id IS NULL OR w.unit_id = a.unit_id)
    ) AS "isInMaintenance",
    CASE WHEN a.status = 'resolved' THEN '[]'::json
      ELSE coalesce((${OF_RUNNING_EPISODES}), (${OF_THE_UNIT}), '[]'::json) END AS evidence
  FROM ${alerts}
  JOIN public.organizations o ON o.id = a.organization_id
  LEFT JOIN public.units u ON u.id = a.unit_id
  LEFT JOIN public.areas ar ON ar.id = u.area_id
  LEFT JOIN public.hubs h ON h.id = a.hub_id
  LEFT JOIN public.sites s ON s.id = coalesce(ar.site_id, h.site_id)
  LEFT JOIN public.alert_rules r ON r.id = a.rule_id`

/** All that are open, in the words of the two partial indexes that have each type in one of them. */
const OPEN = `
  SELECT id FROM public.alerts
  WHERE status <> 'resolved' AND alert_type IN ('alarm_active', 'door_open', 'missed_manual_entry')
  UNION ALL SELECT id FROM public.alerts
  WHERE status <> 'resolved'
    AND alert_type IN ('monitoring_interrupted', 'low_battery', 'sensor_fault', 'calibration_due')`

/** These alerts, open or not. */
export async function readAlerts(
  client: ClientBase,
  { alertIds, nowMs }: { alertIds: readonly number[]; nowMs: number },
): Promise<PagedAlertRow[]> {
  const { rows } = await client.query<PagedAlertRow>(
    `${alertsOf('public.alerts a')} WHERE a.id = ANY ($2) ORDER BY a.id`,
    [new Date(nowMs), alertIds],
  )
  return rows
}

/**
 * Alerts that somebody may have to be paged about by now: that have not paged, whose next level is due, or that wait for
 * somebody's quiet hours to end.
 */
export async function readAlertsToPage(
  client: ClientBase,
  { nowMs, escalationMs }: { nowMs: number; escalationMs: number },
): Promise<PagedAlertRow[]> {
  const { rows } = await client.query<PagedAlertRow>(
    `${alertsOf(`(${OPEN}) AS unresolved JOIN public.alerts a ON a.id = unresolved.id`)}
     WHERE a.status <> 'acknowledged' AND (
       a.paged_at IS NULL
       OR greatest(a.paged_at, a.escalated_at) <= $2 AND EXISTS (
         SELECT FROM public.escalation_contacts c
         WHERE c.organization_id = a.organization_id AND c.enabled AND c.deleted_at IS NULL
           AND c.level > a.escalation_level)
       OR EXISTS (
         SELECT FROM public.escalation_contacts c
         JOIN public.profiles p ON p.id = c.profile_id AND p.notification_preferences ? 'quiet_hours'
         WHERE c.organization_id = a.organization_id AND c.enabled AND c.deleted_at IS NULL
           AND c.level <= a.escalation_level)
     )
     ORDER BY a.id`,
    [new Date(nowMs), new Date(nowMs - escalationMs)],
  )
  return rows
}

/** Whom alerts of these organizations may page. */
export async function readContacts(
  client: ClientBase,
  organizationIds: readonly number[],
): Promise<ContactRow[]> {
  const { rows } = await client.query<ContactRow>(
    `SELECT c.id AS "contactId", c.public_id AS "publicId", c.organization_id AS "organizationId",
       c.site_id AS "siteId", c.profile_id AS "profileId", c.level, c.channels::text[] AS channels, c.email, c.phone,
       p.notification_preferences -> 'quiet_hours' AS "quietHours"
     FROM public.escalation_contacts c
     LEFT JOIN public.profiles p ON p.id = c.profile_id AND p.deleted_at IS NULL
     WHERE c.organization_id = ANY ($1) AND c.enabled AND c.deleted_at IS NULL
     ORDER BY c.level, c.id`,
    [organizationIds],
  )
  return rows
}
