import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, primaryKey, smallint, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { periodBound } from './columns.ts'
import { devices } from './devices.ts'
import { hubs, sites, units } from './hierarchy.ts'
import { pipeline } from './pipeline-schema.ts'
import { organizations } from './tenancy.ts'

/**
 * Where a device stood from when (inclusive) to when (exclusive), so that a backfill after a move lands where it was
 * measured. Kept by triggers of the migrations; nothing else writes it.
 */
export const deviceAssignments = pipeline.table(
  'device_assignments',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    deviceId: integer('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    /** The unit's site, else the hub's. */
    siteId: integer('site_id').references(() => sites.id),
    unitId: integer('unit_id').references(() => units.id),
    hubId: integer('hub_id').references(() => hubs.id),
    validFrom: periodBound('valid_from').notNull().default(sql`'-infinity'`),
    validTo: periodBound('valid_to').notNull().default(sql`'infinity'`),
  },
  (t) => [
    index('device_assignments_device_id_valid_from_idx').on(t.deviceId, t.validFrom),
    index('device_assignments_organization_id_idx').on(t.organizationId),
    index('device_assignments_site_id_idx').on(t.siteId),
    index('device_assignments_unit_id_idx').on(t.unitId),
    index('device_assignments_hub_id_idx').on(t.hubId),
    uniqueIndex('device_assignments_device_id_open_key').on(t.deviceId).where(sql`${t.validTo} = 'infinity'`),
    check('device_assignments_period_check', sql`${t.validFrom} < ${t.validTo}`),
  ],
)

/**
 * One row with two versions, kept by triggers. They share it so that changing both takes one lock, and two that change
 * things in different orders cannot wait for each other.
 */
export const registryVersion = pipeline.table(
  'registry_version',
  {
    id: smallint('id').primaryKey(),
    /** Grows with every change that ingest's registry has to know. */
    version: bigint('version', { mode: 'bigint' }).notNull(),
    /** Grows with every change that decides how the evaluator judges. */
    configVersion: bigint('config_version', { mode: 'bigint' }).notNull().default(sql`1`),
  },
  (t) => [check('registry_version_single_check', sql`${t.id} = 1`)],
)

/**
 * What of the fleet each version of the configuration is about, so that the evaluator need not load all of it again. Kept by
 * triggers, for the last thousand versions. They take the lock of `registry_version` first, so versions are in the order of commits.
 */
export const configChanges = pipeline.table(
  'config_changes',
  {
    /** The `config_version` that has it. */
    version: bigint('version', { mode: 'bigint' }).notNull(),
    /** All that is beneath; of a device the units where it stands or stood. */
    scope: text('scope', { enum: ['everything', 'organization', 'site', 'unit', 'device'] }).notNull(),
    /** 0 for everything. What it names may be gone. */
    scopeId: integer('scope_id').notNull(),
  },
  (t) => [
    primaryKey({ name: 'config_changes_pkey', columns: [t.version, t.scope, t.scopeId] }),
    check(
      'config_changes_scope_check',
      sql`${t.scope} in ('everything', 'organization', 'site', 'unit', 'device')`,
    ),
  ],
)
