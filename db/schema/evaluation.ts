import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { alertRules } from './alerts.ts'
import { instant, periodBound, xid8 } from './columns.ts'
import { devices } from './devices.ts'
import { alertSeverity } from './enums.ts'
import { units } from './hierarchy.ts'
import { pipeline } from './pipeline-schema.ts'

/** How far the evaluator has read the ledger, in the order `(tx, batch id)`; committed with what it made of it. */
export const evaluatorCursors = pipeline.table('evaluator_cursors', {
  name: text('name').primaryKey(),
  tx: xid8('tx').notNull(),
  batchId: bigint('batch_id', { mode: 'bigint' }).notNull(),
  /** The `system_identifier` of the cluster that `tx` belongs to: in a restored one transactions count anew. */
  cluster: text('cluster').notNull(),
  updatedAt: instant('updated_at').notNull().defaultNow(),
})

/** Who does a thing that only one process may do, until when. A row, because a pooler's sessions hold no locks. */
export const leases = pipeline.table('leases', {
  name: text('name').primaryKey(),
  holder: text('holder').notNull(),
  expiresAt: instant('expires_at').notNull(),
})

/** What the evaluator remembers of a device in a unit: a cache of a fold over its readings. */
export const ruleStates = pipeline.table(
  'rule_states',
  {
    unitId: integer('unit_id')
      .notNull()
      .references(() => units.id, { onDelete: 'cascade' }),
    deviceId: integer('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    state: jsonb('state').notNull(),
    /** Evaluation time of the newest reading in it; null = none. */
    newestAt: instant('newest_at'),
  },
  (t) => [
    primaryKey({ name: 'rule_states_pkey', columns: [t.unitId, t.deviceId] }),
    index('rule_states_device_id_idx').on(t.deviceId),
  ],
)

/** Times in which one device was beyond one rule for long enough. The alerts of a unit are unions of these. */
export const ruleEpisodes = pipeline.table(
  'rule_episodes',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    unitId: integer('unit_id')
      .notNull()
      .references(() => units.id, { onDelete: 'cascade' }),
    deviceId: integer('device_id')
      .notNull()
      .references(() => devices.id, { onDelete: 'cascade' }),
    /** Null = a limit of the unit itself. */
    ruleId: integer('rule_id').references(() => alertRules.id, { onDelete: 'cascade' }),
    conditionType: text('condition_type').notNull(),
    ruleVersion: integer('rule_version').notNull(),
    severity: alertSeverity('severity').notNull(),
    startedAt: instant('started_at').notNull(),
    triggeredAt: instant('triggered_at').notNull(),
    /** Null while it runs. */
    endedAt: instant('ended_at'),
    resolution: text('resolution', { enum: ['recovered', 'rule_changed'] }),
    /** Hundredths of °C, or of a percent. */
    triggerCenti: integer('trigger_centi'),
    limitCenti: integer('limit_centi'),
    peakCenti: integer('peak_centi'),
    confirmedMs: bigint('confirmed_ms', { mode: 'number' }).notNull(),
    unknownMs: bigint('unknown_ms', { mode: 'number' }).notNull(),
    newestIsGood: boolean('newest_is_good').notNull(),
  },
  (t) => [
    index('rule_episodes_unit_id_condition_type_rule_id_started_at_idx').on(
      t.unitId,
      t.conditionType,
      t.ruleId,
      t.startedAt,
    ),
    index('rule_episodes_device_id_started_at_idx').on(t.deviceId, t.startedAt),
    index('rule_episodes_rule_id_idx').on(t.ruleId),
    check('rule_episodes_resolution_check', sql`${t.resolution} in ('recovered', 'rule_changed')`),
    check('rule_episodes_end_check', sql`(${t.endedAt} is null) = (${t.resolution} is null)`),
  ],
)

/**
 * What the evaluator needs of a unit or a device, and from when on: a reading is judged by what held at its time. The first
 * row of each holds from the beginning. Kept by triggers; nothing else writes it.
 */
export const configHistory = pipeline.table(
  'config_history',
  {
    id: integer('id').primaryKey().generatedAlwaysAsIdentity(),
    entity: text('entity', { enum: ['unit', 'device'] }).notNull(),
    /** Of `units` or `devices`. */
    entityId: integer('entity_id').notNull(),
    validFrom: periodBound('valid_from').notNull(),
    values: jsonb('values').$type<Record<string, unknown>>().notNull(),
  },
  (t) => [
    uniqueIndex('config_history_entity_entity_id_valid_from_key').on(t.entity, t.entityId, t.validFrom),
    check('config_history_entity_check', sql`${t.entity} in ('unit', 'device')`),
  ],
)

/**
 * Messages to publish over MQTT, put here by whoever decides them, with ids in the order of commits. Each broker publishes each of
 * them; then they are deleted.
 */
export const outgoingMessages = pipeline.table('outgoing_messages', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  topic: text('topic').notNull(),
  payload: text('payload').notNull(),
  retain: boolean('retain').notNull().default(false),
  createdAt: instant('created_at').notNull().defaultNow(),
})

/** Processes with a broker: each tells its own clients of all alerts, and the newest of them was heard of when hubs were last heard. */
export const brokers = pipeline.table('brokers', {
  /** Kept in its DATA_DIR. */
  id: text('id').primaryKey(),
  /** Messages up to this one have been published there, but for retained ones after a restart. */
  publishedId: bigint('published_id', { mode: 'number' }).notNull(),
  seenAt: instant('seen_at').notNull().defaultNow(),
})
