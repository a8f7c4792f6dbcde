import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  macaddr,
  pgTable,
  real,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { celsius, instant, softDeletableColumns } from './columns.ts'
import { unitStatus, unitType } from './enums.ts'
import { organizations } from './tenancy.ts'

const organizationId = () =>
  integer('organization_id')
    .notNull()
    .references(() => organizations.id)

export const sites = pgTable(
  'sites',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    name: text('name').notNull(),
    street: text('street'),
    postalCode: text('postal_code'),
    city: text('city'),
    region: text('region'),
    /** ISO 3166-1 alpha-2. */
    country: text('country'),
    /** IANA name; null = the organization's. */
    timezone: text('timezone'),
    latitude: doublePrecision('latitude'),
    longitude: doublePrecision('longitude'),
  },
  (t) => [
    index('sites_organization_id_idx').on(t.organizationId),
    uniqueIndex('sites_organization_id_name_live_key')
      .on(t.organizationId, t.name)
      .where(sql`${t.deletedAt} is null`),
    check('sites_country_check', sql`${t.country} ~ '^[A-Z]{2}$'`),
    check('sites_latitude_check', sql`${t.latitude} between -90 and 90`),
    check('sites_longitude_check', sql`${t.longitude} between -180 and 180`),
  ],
)

export const areas = pgTable(
  'areas',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    siteId: integer('site_id')
      .notNull()
      .references(() => sites.id),
    name: text('name').notNull(),
    sortOrder: integer('sort_order').notNull().default(0),
  },
  (t) => [
    index('areas_organization_id_idx').on(t.organizationId),
    index('areas_site_id_sort_order_idx').on(t.siteId, t.sortOrder),
    uniqueIndex('areas_site_id_name_live_key').on(t.siteId, t.name).where(sql`${t.deletedAt} is null`),
  ],
)

export const units = pgTable(
  'units',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    areaId: integer('area_id')
      .notNull()
      .references(() => areas.id),
    name: text('name').notNull(),
    unitType: unitType('unit_type').notNull(),
    status: unitStatus('status').notNull().default('offline'),
    /** The range in which the unit is good, °C; null = no limit on that side. */
    tempMin: celsius('temp_min'),
    tempMax: celsius('temp_max'),
    monitoringEnabled: boolean('monitoring_enabled').notNull().default(true),
    manualMonitoringRequired: boolean('manual_monitoring_required').notNull().default(false),
    manualMonitoringIntervalSeconds: integer('manual_monitoring_interval_seconds'),
    lastReadingAt: instant('last_reading_at'),
    /** As the sensor said it, °C. */
    lastTemperature: real('last_temperature'),
  },
  (t) => [
    index('units_organization_id_status_idx').on(t.organizationId, t.status),
    index('units_area_id_idx').on(t.areaId),
    uniqueIndex('units_area_id_name_live_key').on(t.areaId, t.name).where(sql`${t.deletedAt} is null`),
    check('units_temp_range_check', sql`${t.tempMin} < ${t.tempMax}`),
    check('units_manual_monitoring_interval_check', sql`${t.manualMonitoringIntervalSeconds} > 0`),
  ],
)

export const hubs = pgTable(
  'hubs',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    siteId: integer('site_id')
      .notNull()
      .references(() => sites.id),
    /** The hub's name in topics and its username. */
    key: text('key').notNull(),
    name: text('name').notNull(),
    macAddress: macaddr('mac_address'),
    firmwareVersion: text('firmware_version'),
    lastSeenAt: instant('last_seen_at'),
    isOnline: boolean('is_online').notNull().default(false),
    /** Messages waiting in the hub, from its last status. */
    queuedMessages: integer('queued_messages'),
    credentialHash: text('credential_hash'),
    heartbeatSeconds: integer('heartbeat_seconds').notNull().default(300),
    /** When `is_online` was last said or seen: what is older does not change it. */
    statusAt: instant('status_at'),
  },
  (t) => [
    index('hubs_organization_id_idx').on(t.organizationId),
    index('hubs_site_id_idx').on(t.siteId),
    uniqueIndex('hubs_key_live_key').on(t.key).where(sql`${t.deletedAt} is null`),
    check('hubs_key_check', sql`${t.key} ~ '^[a-z0-9][a-z0-9-]{0,63}$'`),
    check('hubs_heartbeat_check', sql`${t.heartbeatSeconds} > 0`),
  ],
)
