import {
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  real,
  smallint,
  text,
} from 'drizzle-orm/pg-core'
import { celsius, entityColumns, instant } from './columns.ts'
import { units } from './hierarchy.ts'
import { organizations } from './tenancy.ts'
import { profiles } from './users.ts'

/**
 * What sensors said, unchanged. Partitioned by `recorded_at` in the database (a migration does it; Drizzle has no
 * words for it). No foreign keys, checks, triggers or further indexes: each costs COPY a third of its speed or more.
 * The order of the columns keeps a row small: fixed widths of 8 and 4 bytes come before those of 2 and text.
 */
export const sensorReadings = pgTable(
  'sensor_readings',
  {
    deviceId: integer('device_id').notNull(),
    /** Where the device stood at `recorded_at`; null = nowhere. */
    unitId: integer('unit_id'),
    recordedAt: instant('recorded_at').notNull(),
    receivedAt: instant('received_at').notNull(),
    batchId: bigint('batch_id', { mode: 'bigint' }).notNull(),
    organizationId: integer('organization_id').notNull(),
    /** °C */
    temperature: real('temperature'),
    /** Percent. */
    humidity: real('humidity'),
    /** dB */
    snr: real('snr'),
    /** dBm */
    rssi: smallint('rssi'),
    /** Percent. */
    battery: smallint('battery'),
    source: text('source').notNull(),
    fault: text('fault'),
  },
  (t) => [
    // Device and time are unique by an index of each partition: see db/partition-keys.ts.
    index('sensor_readings_batch_id_idx').using('brin', t.batchId).with({ autosummarize: true }),
  ],
)

/** Doors that opened and closed. Partitioned by `occurred_at`; as lean as `sensor_readings`, for the same reasons. */
export const doorEvents = pgTable(
  'door_events',
  {
    deviceId: integer('device_id').notNull(),
    unitId: integer('unit_id'),
    occurredAt: instant('occurred_at').notNull(),
    receivedAt: instant('received_at').notNull(),
    batchId: bigint('batch_id', { mode: 'bigint' }).notNull(),
    organizationId: integer('organization_id').notNull(),
    /** Of the opening that this close ends. */
    durationSeconds: doublePrecision('duration_seconds'),
    state: text('state', { enum: ['open', 'closed'] }).notNull(),
    source: text('source').notNull(),
  },
  (t) => [
    // Device first: each close looks for the open before it.
    primaryKey({ name: 'door_events_pkey', columns: [t.deviceId, t.occurredAt, t.state] }),
    index('door_events_batch_id_idx').using('brin', t.batchId).with({ autosummarize: true }),
  ],
)

/** What a person read off a thermometer. */
export const manualTemperatureLogs = pgTable(
  'manual_temperature_logs',
  {
    ...entityColumns(),
    organizationId: integer('organization_id')
      .notNull()
      .references(() => organizations.id),
    unitId: integer('unit_id')
      .notNull()
      .references(() => units.id),
    profileId: integer('profile_id').references(() => profiles.id),
    temperature: celsius('temperature').notNull(),
    /** Against the unit's limits at that time; null = the unit had none. */
    isInRange: boolean('is_in_range'),
    notes: text('notes'),
    /** Key of the photo in object storage. */
    photoKey: text('photo_key'),
    recordedAt: instant('recorded_at').notNull(),
  },
  (t) => [
    index('manual_temperature_logs_organization_id_recorded_at_idx').on(t.organizationId, t.recordedAt),
    index('manual_temperature_logs_unit_id_recorded_at_idx').on(t.unitId, t.recordedAt),
    index('manual_temperature_logs_profile_id_idx').on(t.profileId),
  ],
)
