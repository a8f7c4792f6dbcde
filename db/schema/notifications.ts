import { sql } from 'drizzle-orm'
import { check, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { alerts } from './alerts.ts'
import { entityColumns, instant } from './columns.ts'
import { notificationChannel, notificationStatus } from './enums.ts'
import { organizations } from './tenancy.ts'
import { escalationContacts, profiles } from './users.ts'

/** One message to one recipient about one alert. */
export const notificationDeliveries = pgTable(
  'notification_deliveries',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    alertId: integer('alert_id')
      .notNull()
      .references(() => alerts.id),
    contactId: integer('contact_id').references(() => escalationContacts.id),
    profileId: integer('profile_id').references(() => profiles.id),
    /** page, recovery, correction, ... */
    kind: text('kind').notNull().default('page'),
    escalationLevel: integer('escalation_level').notNull().default(0),
    channel: notificationChannel('channel').notNull(),
    recipient: text('recipient').notNull(),
    status: notificationStatus('status').notNull().default('pending'),
    tries: integer('tries').notNull().default(0),
    providerId: text('provider_id'),
    error: text('error'),
    scheduledAt: instant('scheduled_at').notNull().defaultNow(),
    sentAt: instant('sent_at'),
    deliveredAt: instant('delivered_at'),
    failedAt: instant('failed_at'),
  },
  (t) => [
    index('notification_deliveries_organization_id_scheduled_at_idx').on(t.organizationId, t.scheduledAt),
    index('notification_deliveries_alert_id_idx').on(t.alertId),
    index('notification_deliveries_contact_id_idx').on(t.contactId),
    index('notification_deliveries_profile_id_idx').on(t.profileId),
    index('notification_deliveries_pending_idx').on(t.scheduledAt).where(sql`${t.status} = 'pending'`),
    check('notification_deliveries_tries_check', sql`${t.tries} >= 0`),
  ],
)
