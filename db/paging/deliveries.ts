import type { ClientBase } from 'pg'
import type { notificationChannel } from '../schema/index.ts'

/** A message to one recipient about one alert, as `notification_deliveries` has it. */
export interface DeliveryRow {
  organizationId: number
  alertId: number
  contactId: number | null
  profileId: number | null
  kind: string
  escalationLevel: number
  channel: (typeof notificationChannel.enumValues)[number]
  /** Empty where there is no address. */
  recipient: string
  scheduledAtMs: number
  /** Kept as failed at once: there is no address to send it to. */
  isUnreachable: boolean
}

const NO_ADDRESS = 'the contact has no address for this channel'

/** What was written about these alerts, in order. */
export async function readDeliveries(
  client: ClientBase,
  alertIds: readonly number[],
): Promise<DeliveryRow[]> {
  const { rows } = await client.query<DeliveryRow>(
    `SELECT organization_id AS "organizationId", alert_id AS "alertId", contact_id AS "contactId",
       profile_id AS "profileId", kind, escalation_level AS "escalationLevel", channel, recipient,
       (extract(epoch FROM scheduled_at) * 1000)::float8 AS "scheduledAtMs", recipient = '' AS "isUnreachable"
     FROM public.notification_deliveries WHERE alert_id = ANY ($1) ORDER BY id`,
    [alertIds],
  )
  return rows
}

export interface MessageTime {
  organizationId: number
  channel: string
  recipient: string
  scheduledAtMs: number
}

/** When recipients of these organizations get messages, from `sinceMs` on. */
export async function readMessageTimes(
  client: ClientBase,
  { organizationIds, sinceMs }: { organizationIds: readonly number[]; sinceMs: number },
): Promise<MessageTime[]> {
  const { rows } = await client.query<MessageTime>(
    `SELECT DISTINCT organization_id AS "organizationId", channel::text AS channel, recipient,
       (extract(epoch FROM scheduled_at) * 1000)::float8 AS "scheduledAtMs"
     FROM public.notification_deliveries
     WHERE organization_id = ANY ($1) AND scheduled_at >= $2 AND recipient <> ''`,
    [organizationIds, new Date(sinceMs)],
  )
  return rows
}

export async function writeDeliveries(
  client: ClientBase,
  deliveries: readonly DeliveryRow[],
  nowMs: number,
): Promise<void> {
  if (deliveries.length === 0) return
  await client.query(
    `INSERT INTO public.notification_deliveries (organization_id, alert_id, contact_id, profile_id, kind,
       escalation_level, channel, recipient, scheduled_at, status, failed_at, error)
     SELECT g.organization_id, g.alert_id, g.contact_id, g.profile_id, g.kind, g.escalation_level,
       g.channel::public.notification_channel, g.recipient, to_timestamp(g.scheduled_at_ms / 1000),
       CASE WHEN g.recipient = '' THEN 'failed' ELSE 'pending' END::public.notification_status,
       CASE WHEN g.recipient = '' THEN $10::timestamptz END, CASE WHEN g.recipient = '' THEN $11 END
     FROM unnest($1::int4[], $2::int4[], $3::int4[], $4::int4[], $5::text[], $6::int4[], $7::text[], $8::text[],
       $9::float8[]) WITH ORDINALITY
       AS g (organization_id, alert_id, contact_id, profile_id, kind, escalation_level, channel, recipient,
         scheduled_at_ms, place)
     ORDER BY g.place`,
    [
      deliveries.map((delivery) => delivery.organizationId),
      deliveries.map((delivery) => delivery.alertId),
      deliveries.map((delivery) => delivery.contactId),
      deliveries.map((delivery) => delivery.profileId),
      deliveries.map((delivery) => delivery.kind),
      deliveries.map((delivery) => delivery.escalationLevel),
      deliveries.map((delivery) => delivery.channel),
      deliveries.map((delivery) => delivery.recipient),
      deliveries.map((delivery) => delivery.scheduledAtMs),
      new Date(nowMs),
      NO_ADDRESS,
    ],
  )
}

/** What paging has done to an alert. */
export interface PagedChange {
  alertId: number
  /** Null = it has not paged now. */
  pagedAtMs: number | null
  escalationLevel: number
  escalates: boolean
}

/** A person may have acknowledged an alert meanwhile: that stays. */
export async function writePaged(
  client: ClientBase,
  changes: readonly PagedChange[],
  nowMs: number,
): Promise<void> {
  if (changes.length === 0) return
  await client.query(
    `UPDATE public.alerts a SET
       paged_at = coalesce(a.paged_at, to_timestamp(g.paged_at_ms / 1000)),
       escalation_level = g.escalation_level,
       escalated_at = CASE WHEN g.escalates THEN $5 ELSE a.escalated_at END,
       status = CASE WHEN g.escalates AND a.status = 'active' THEN 'escalated' ELSE a.status END
     FROM unnest($1::int4[], $2::float8[], $3::int4[], $4::bool[])
       AS g (alert_id, paged_at_ms, escalation_level, escalates)
     WHERE a.id = g.alert_id`,
    [
      changes.map((change) => change.alertId),
      changes.map((change) => change.pagedAtMs),
      changes.map((change) => change.escalationLevel),
      changes.map((change) => change.escalates),
      new Date(nowMs),
    ],
  )
}
