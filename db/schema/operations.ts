import { sql } from 'drizzle-orm'
import { check, index, integer, text } from 'drizzle-orm/pg-core'
import { entityColumns, instant } from './columns.ts'
import { sites, units } from './hierarchy.ts'
import { pipeline } from './pipeline-schema.ts'
import { organizations } from './tenancy.ts'
import { profiles } from './users.ts'

/** Planned work: holds pages, never the evaluation. Scope: the unit, else the site, else the organization. */
export const maintenanceWindows = pipeline.table(
  'maintenance_windows',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    siteId: integer('site_id').references(() => sites.id),
    unitId: integer('unit_id').references(() => units.id),
    startsAt: instant('starts_at').notNull(),
    endsAt: instant('ends_at').notNull(),
    reason: text('reason'),
    createdBy: integer('created_by').references(() => profiles.id),
  },
  (t) => [
    index('maintenance_windows_organization_id_ends_at_idx').on(t.organizationId, t.endsAt),
    index('maintenance_windows_site_id_idx').on(t.siteId),
    index('maintenance_windows_unit_id_idx').on(t.unitId),
    index('maintenance_windows_created_by_idx').on(t.createdBy),
    check('maintenance_windows_period_check', sql`${t.startsAt} < ${t.endsAt}`),
  ],
)

/** When we could not hear or judge: silence in it is not held against a device. */
export const downtimeIntervals = pipeline.table(
  'downtime_intervals',
  {
    ...entityColumns(),
    /** broker, database, evaluator or clock. */
    part: text('part', { enum: ['broker', 'database', 'evaluator', 'clock'] }).notNull(),
    startedAt: instant('started_at').notNull(),
    /** Null while it lasts. */
    endedAt: instant('ended_at'),
    detail: text('detail'),
  },
  (t) => [
    index('downtime_intervals_started_at_idx').on(t.startedAt),
    check('downtime_intervals_part_check', sql`${t.part} in ('broker', 'database', 'evaluator', 'clock')`),
    check('downtime_intervals_period_check', sql`${t.startedAt} <= ${t.endedAt}`),
  ],
)
