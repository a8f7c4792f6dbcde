import { sql } from 'drizzle-orm'
import { check, index, integer, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { entityColumns, instant, softDeletableColumns } from './columns.ts'
import { complianceMode, subscriptionPlan, subscriptionStatus } from './enums.ts'

export const organizations = pgTable(
  'organizations',
  {
    ...softDeletableColumns(),
    slug: text('slug').notNull(),
    name: text('name').notNull(),
    /** IANA name. */
    timezone: text('timezone').notNull().default('UTC'),
    complianceMode: complianceMode('compliance_mode').notNull().default('standard'),
    /** How many sensors the organization may have; null = no limit. */
    sensorLimit: integer('sensor_limit'),
  },
  (t) => [
    uniqueIndex('organizations_slug_live_key').on(t.slug).where(sql`${t.deletedAt} is null`),
    check('organizations_slug_check', sql`${t.slug} ~ '^[a-z0-9][a-z0-9-]{0,63}$'`),
    check('organizations_sensor_limit_check', sql`${t.sensorLimit} >= 0`),
  ],
)

export const subscriptions = pgTable(
  'subscriptions',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    plan: subscriptionPlan('plan').notNull().default('starter'),
    status: subscriptionStatus('status').notNull().default('trial'),
    trialEndsAt: instant('trial_ends_at'),
    periodStartsAt: instant('period_starts_at'),
    periodEndsAt: instant('period_ends_at'),
    canceledAt: instant('canceled_at'),
  },
  (t) => [
    index('subscriptions_organization_id_created_at_idx').on(t.organizationId, t.createdAt),
    uniqueIndex('subscriptions_organization_id_current_key')
      .on(t.organizationId)
      .where(sql`${t.status} <> 'canceled'`),
    check('subscriptions_period_check', sql`${t.periodStartsAt} < ${t.periodEndsAt}`),
  ],
)
