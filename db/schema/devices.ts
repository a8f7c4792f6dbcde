import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  index,
  integer,
  numeric,
  pgTable,
  smallint,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { bytea, celsius, entityColumns, instant, softDeletableColumns } from './columns.ts'
import { deviceStatus, pairingStatus } from './enums.ts'
import { hubs, sites, units } from './hierarchy.ts'
import { networkServers } from './network-servers.ts'
import { organizations } from './tenancy.ts'
import { profiles } from './users.ts'

const organizationId = () =>
  integer('organization_id')
    .notNull()
    .references(() => organizations.id)

export const devices = pgTable(
  'devices',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    /** Null while the device stands nowhere. */
    unitId: integer('unit_id').references(() => units.id),
    /** Null for a device that reaches us through a network server or by itself. */
    hubId: integer('hub_id').references(() => hubs.id),
    /** 16 lower-case hex digits. */
    deviceEui: text('device_eui').notNull(),
    /** Null = shown by its EUI. */
    name: text('name'),
    /** temperature, door, temperature_door, ... */
    deviceType: text('device_type').notNull().default('temperature'),
    status: deviceStatus('status').notNull().default('active'),
    /** Percent. */
    battery: smallint('battery'),
    /** dBm. */
    signalStrength: smallint('signal_strength'),
    firmwareVersion: text('firmware_version'),
    lastSeenAt: instant('last_seen_at'),
    reportingIntervalSeconds: integer('reporting_interval_seconds'),
    /** Of a device that connects by itself. */
    credentialHash: text('credential_hash'),
  },
  (t) => [
    index('devices_organization_id_idx').on(t.organizationId),
    index('devices_unit_id_idx').on(t.unitId),
    index('devices_hub_id_idx').on(t.hubId),
    uniqueIndex('devices_device_eui_live_key').on(t.deviceEui).where(sql`${t.deletedAt} is null`),
    check('devices_device_eui_check', sql`${t.deviceEui} ~ '^[0-9a-f]{16}$'`),
    check('devices_reporting_interval_check', sql`${t.reportingIntervalSeconds} > 0`),
    check('devices_battery_check', sql`${t.battery} between 0 and 100`),
  ],
)

/** The radio side of a LoRaWAN device. */
export const loraSensors = pgTable(
  'lora_sensors',
  {
    ...softDeletableColumns(),
    organizationId: organizationId(),
    deviceId: integer('device_id')
      .notNull()
      .unique('lora_sensors_device_id_key')
      .references(() => devices.id),
    networkServerId: integer('network_server_id').references(() => networkServers.id),
    devEui: text('dev_eui').notNull(),
    joinEui: text('join_eui'),
    activationType: text('activation_type', { enum: ['otaa', 'abp'] })
      .notNull()
      .default('otaa'),
    /** Which of the device's probes is the unit's temperature, for example `internal` or `external`. */
    temperatureSource: text('temperature_source'),
    lastJoinAt: instant('last_join_at'),
    /** Frame counter of the last uplink: 32 bits without sign. */
    lastFCnt: bigint('last_f_cnt', { mode: 'number' }),
    appKeyEncrypted: bytea('app_key_encrypted'),
    /** 8 lower-case hex digits; changes with each join. */
    devAddr: text('dev_addr'),
    lastUplinkAt: instant('last_uplink_at'),
    /** Frames that were never heard, by the gaps in the frame counter. */
    fCntGaps: integer('f_cnt_gaps').notNull().default(0),
    /** How often the frame counter began anew without a join. */
    fCntResets: integer('f_cnt_resets').notNull().default(0),
  },
  (t) => [
    index('lora_sensors_organization_id_idx').on(t.organizationId),
    index('lora_sensors_network_server_id_idx').on(t.networkServerId),
    uniqueIndex('lora_sensors_dev_eui_live_key').on(t.devEui).where(sql`${t.deletedAt} is null`),
    check('lora_sensors_dev_eui_check', sql`${t.devEui} ~ '^[0-9a-f]{16}$'`),
    check('lora_sensors_join_eui_check', sql`${t.joinEui} ~ '^[0-9a-f]{16}$'`),
    check('lora_sensors_dev_addr_check', sql`${t.devAddr} ~ '^[0-9a-f]{8}$'`),
    check('lora_sensors_activation_type_check', sql`${t.activationType} in ('otaa', 'abp')`),
  ],
)

/** How an organization claims a new hub or sensor: a short code that is shown once and expires. */
export const pairingSessions = pgTable(
  'pairing_sessions',
  {
    ...entityColumns(),
    organizationId: organizationId(),
    siteId: integer('site_id').references(() => sites.id),
    unitId: integer('unit_id').references(() => units.id),
    /** What was claimed. */
    hubId: integer('hub_id').references(() => hubs.id),
    deviceId: integer('device_id').references(() => devices.id),
    startedBy: integer('started_by').references(() => profiles.id),
    code: text('code').notNull(),
    status: pairingStatus('status').notNull().default('pending'),
    expiresAt: instant('expires_at').notNull(),
    completedAt: instant('completed_at'),
    failureReason: text('failure_reason'),
  },
  (t) => [
    index('pairing_sessions_organization_id_status_idx').on(t.organizationId, t.status),
    index('pairing_sessions_site_id_idx').on(t.siteId),
    index('pairing_sessions_unit_id_idx').on(t.unitId),
    index('pairing_sessions_hub_id_idx').on(t.hubId),
    index('pairing_sessions_device_id_idx').on(t.deviceId),
    index('pairing_sessions_started_by_idx').on(t.startedBy),
    uniqueIndex('pairing_sessions_code_pending_key').on(t.code).where(sql`${t.status} = 'pending'`),
  ],
)

/** Offsets that are added to what the sensor said, from `calibrated_at` until the next record of the device. */
export const calibrationRecords = pgTable(
  'calibration_records',
  {
    ...entityColumns(),
    organizationId: organizationId(),
    deviceId: integer('device_id')
      .notNull()
      .references(() => devices.id),
    performedBy: integer('performed_by').references(() => profiles.id),
    temperatureOffset: celsius('temperature_offset').notNull().default(0),
    /** Percentage points. */
    humidityOffset: numeric('humidity_offset', { precision: 5, scale: 2, mode: 'number' })
      .notNull()
      .default(0),
    /** The instrument or method it was compared with. */
    reference: text('reference'),
    certificate: text('certificate'),
    calibratedAt: instant('calibrated_at').notNull(),
    expiresAt: instant('expires_at'),
  },
  (t) => [
    uniqueIndex('calibration_records_device_id_calibrated_at_key').on(t.deviceId, t.calibratedAt),
    index('calibration_records_organization_id_expires_at_idx').on(t.organizationId, t.expiresAt),
    index('calibration_records_performed_by_idx').on(t.performedBy),
    check('calibration_records_expiry_check', sql`${t.calibratedAt} < ${t.expiresAt}`),
  ],
)
