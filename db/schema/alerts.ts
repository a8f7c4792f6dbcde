import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { entityColumns, instant, softDeletableColumns } from './columns.ts'
import { devices } from './devices.ts'
import { alertSeverity, alertStatus, alertType } from './enums.ts'
import { hubs, sites, units } from './hierarchy.ts'
import { organizations } from './tenancy.ts'
import { profiles } from './users.ts'

const organizationId = () =>
  integer('organization_id')
    .notNull()
    .references(() => organizations.id)

/** A measured value: °C, percent or another number that the alert's condition speaks of. */
const measuredValue = (name: string) => numeric(name, { precision: 8, scale: 2, mode: 'number' })

/** Narrowest scope given: the unit, else the site, else the whole organization. */
export const alertRules = pgTable(
  'alert_rules',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    siteId: integer('site_id').references(() => sites.id),
    unitId: integer('unit_id').references(() => units.id),
    name: text('name').notNull(),
    alertType: alertType('alert_type').notNull(),
    severity: alertSeverity('severity').notNull(),
    conditionType: text('condition_type').notNull(),
    /** The numbers of the condition; which ones depends on its type. */
    condition: jsonb('condition').$type<Record<string, unknown>>().notNull(),
    /** The preset that the rule was made from, and its version. */
    preset: text('preset'),
    presetVersion: integer('preset_version'),
    enabled: boolean('enabled').notNull().default(true),
    /** When it may page; null = always. */
    schedule: jsonb('schedule').$type<Record<string, unknown>>(),
    /** Counts up with every change: `update ... where version = ?` finds out that someone else was faster. */
    version: integer('version').notNull().default(1),
  },
  (t) => [
    index('alert_rules_organization_id_condition_type_idx').on(t.organizationId, t.conditionType),
    index('alert_rules_site_id_idx').on(t.siteId),
    index('alert_rules_unit_id_idx').on(t.unitId),
    // NULLS NOT DISTINCT in other words: Drizzle offers that only for constraints, which cannot be partial.
    uniqueIndex('alert_rules_scope_name_condition_type_live_key')
      .on(
        t.organizationId,
        sql`coalesce(${t.siteId}, 0)`,
        sql`coalesce(${t.unitId}, 0)`,
        t.name,
        t.conditionType,
      )
      .where(sql`${t.deletedAt} is null`),
    check('alert_rules_version_check', sql`${t.version} >= 1`),
  ],
)

/** One row per change of a rule: a reading is judged by the version in force at its time. */
export const alertRulesHistory = pgTable(
  'alert_rules_history',
  {
    ...entityColumns(),
    organizationId: organizationId(),
    ruleId: integer('rule_id')
      .notNull()
      .references(() => alertRules.id),
    version: integer('version').notNull(),
    changedAt: instant('changed_at').notNull().defaultNow(),
    /** Null = not a person; `reason` says what. */
    changedBy: integer('changed_by').references(() => profiles.id),
    reason: text('reason'),
    oldValues: jsonb('old_values').$type<Record<string, unknown>>(),
    newValues: jsonb('new_values').$type<Record<string, unknown>>(),
  },
  (t) => [
    uniqueIndex('alert_rules_history_rule_id_version_key').on(t.ruleId, t.version),
    index('alert_rules_history_organization_id_changed_at_idx').on(t.organizationId, t.changedAt),
    index('alert_rules_history_changed_by_idx').on(t.changedBy),
  ],
)

/** Event times are the sensors' (started, triggered, ended); the others are our clock. */
export const alerts = pgTable(
  'alerts',
  {
    ...entityColumns(),
    organizationId: organizationId(),
    /** Null for an alert about a hub. */
    unitId: integer('unit_id').references(() => units.id),
    deviceId: integer('device_id').references(() => devices.id),
    hubId: integer('hub_id').references(() => hubs.id),
    /** Null = the limits of the unit itself. */
    ruleId: integer('rule_id').references(() => alertRules.id),
    ruleVersion: integer('rule_version'),
    alertType: alertType('alert_type').notNull(),
    conditionType: text('condition_type').notNull(),
    severity: alertSeverity('severity').notNull(),
    status: alertStatus('status').notNull().default('active'),
    startedAt: instant('started_at').notNull(),
    triggeredAt: instant('triggered_at').notNull(),
    endedAt: instant('ended_at'),
    detectedAt: instant('detected_at').notNull(),
    acknowledgedAt: instant('acknowledged_at'),
    acknowledgedBy: integer('acknowledged_by').references(() => profiles.id),
    resolvedAt: instant('resolved_at'),
    resolvedBy: integer('resolved_by').references(() => profiles.id),
    escalatedAt: instant('escalated_at'),
    /** 0 = nobody has been paged. */
    escalationLevel: integer('escalation_level').notNull().default(0),
    triggerValue: measuredValue('trigger_value'),
    limitValue: measuredValue('limit_value'),
    peakValue: measuredValue('peak_value'),
    confirmedSeconds: integer('confirmed_seconds').notNull().default(0),
    unknownSeconds: integer('unknown_seconds').notNull().default(0),
    /** Over before we knew of it. */
    retrospective: boolean('retrospective').notNull().default(false),
    /** Kept although late data took away its proof. */
    unproven: boolean('unproven').notNull().default(false),
    resolution: text('resolution', { enum: ['recovered', 'by_person', 'rule_changed', 'withdrawn'] }),
    /** Our clock: when somebody was first paged. */
    pagedAt: instant('paged_at'),
    /** Our clock: when data last changed something about it. */
    evidenceAt: instant('evidence_at'),
  },
  (t) => [
    index('alerts_organization_id_status_triggered_at_idx').on(t.organizationId, t.status, t.triggeredAt),
    index('alerts_unit_id_started_at_idx').on(t.unitId, t.startedAt),
    index('alerts_device_id_idx').on(t.deviceId),
    index('alerts_hub_id_idx').on(t.hubId),
    index('alerts_rule_id_idx').on(t.ruleId),
    index('alerts_acknowledged_by_idx').on(t.acknowledgedBy),
    index('alerts_resolved_by_idx').on(t.resolvedBy),
    uniqueIndex('alerts_open_unit_key')
      .on(t.unitId, sql`coalesce(${t.ruleId}, 0)`, t.conditionType)
      .where(
        sql`${t.status} <> 'resolved' and ${t.alertType} in ('alarm_active', 'door_open', 'missed_manual_entry')`,
      ),
    uniqueIndex('alerts_open_device_key')
      .on(t.deviceId, sql`coalesce(${t.unitId}, 0)`, sql`coalesce(${t.ruleId}, 0)`, t.conditionType)
      .where(
        sql`${t.status} <> 'resolved' and ${t.alertType} in ('monitoring_interrupted', 'low_battery', 'sensor_fault', 'calibration_due')`,
      ),
    uniqueIndex('alerts_open_hub_key')
      .on(t.hubId)
      .where(sql`${t.status} <> 'resolved' and ${t.unitId} is null and ${t.deviceId} is null`),
    check('alerts_subject_check', sql`num_nonnulls(${t.unitId}, ${t.deviceId}, ${t.hubId}) > 0`),
    check(
      'alerts_resolution_check',
      sql`${t.resolution} in ('recovered', 'by_person', 'rule_changed', 'withdrawn')`,
    ),
    check('alerts_seconds_check', sql`${t.confirmedSeconds} >= 0 and ${t.unknownSeconds} >= 0`),
  ],
)

export const correctiveActions = pgTable(
  'corrective_actions',
  {
    ...entityColumns(),
    organizationId: organizationId(),
    alertId: integer('alert_id')
      .notNull()
      .references(() => alerts.id),
    profileId: integer('profile_id').references(() => profiles.id),
    /** What was done. */
    action: text('action').notNull(),
    takenAt: instant('taken_at').notNull(),
  },
  (t) => [
    index('corrective_actions_organization_id_taken_at_idx').on(t.organizationId, t.takenAt),
    index('corrective_actions_alert_id_idx').on(t.alertId),
    index('corrective_actions_profile_id_idx').on(t.profileId),
  ],
)
