import { getTableColumns } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import {
  alertRules,
  areas,
  devices,
  escalationContacts,
  hubs,
  loraSensors,
  networkServers,
  organizations,
  sites,
  units,
} from '../schema/index.ts'

/** Columns of a row by their property names in the Drizzle table. */
export type Values = Readonly<Record<string, unknown>>

/** A kind of thing that a fleet file describes: which columns the file decides, and by which it is found again. */
export interface Kind {
  /** As in the audit log's `entity_type`. */
  name: string
  plural: string
  table: PgTable
  /** Columns that the file decides; what the file leaves out has the column's default. */
  managed: readonly string[]
  /** Unique among the organization's live rows. */
  key: readonly string[]
  /** What people call it. */
  label: string
  /** Whether it may have a secret of its own. */
  hasSecret?: boolean
  /** Whether each change counts up a `version`, and a removed one is disabled too. */
  versioned?: boolean
  /** Whether ingest adds such rows too: one that came up since the state was read becomes what the file says. */
  addedByIngest?: boolean
}

function kind<T extends PgTable>(
  definition: Omit<Kind, 'managed' | 'key' | 'label' | 'table'> & {
    table: T
    managed: readonly (keyof T['_']['columns'] & string)[]
    key: readonly (keyof T['_']['columns'] & string)[]
    label: keyof T['_']['columns'] & string
  },
): Kind {
  return definition
}

/** In the order of writing: each refers to those before it. */
export const KINDS = {
  organization: kind({
    name: 'organization',
    plural: 'organizations',
    table: organizations,
    managed: ['slug', 'name', 'timezone', 'complianceMode', 'sensorLimit'],
    key: ['slug'],
    label: 'slug',
  }),
  site: kind({
    name: 'site',
    plural: 'sites',
    table: sites,
    managed: [
      'name',
      'street',
      'postalCode',
      'city',
      'region',
      'country',
      'timezone',
      'latitude',
      'longitude',
    ],
    key: ['name'],
    label: 'name',
  }),
  hub: kind({
    name: 'hub',
    plural: 'hubs',
    table: hubs,
    managed: ['siteId', 'key', 'name', 'macAddress', 'heartbeatSeconds'],
    key: ['key'],
    label: 'key',
    hasSecret: true,
  }),
  area: kind({
    name: 'area',
    plural: 'areas',
    table: areas,
    managed: ['siteId', 'name', 'sortOrder'],
    key: ['siteId', 'name'],
    label: 'name',
  }),
  unit: kind({
    name: 'unit',
    plural: 'units',
    table: units,
    managed: [
      'areaId',
      'name',
      'unitType',
      'tempMin',
      'tempMax',
      'monitoringEnabled',
      'manualMonitoringRequired',
      'manualMonitoringIntervalSeconds',
    ],
    key: ['areaId', 'name'],
    label: 'name',
  }),
  network_server: kind({
    name: 'network_server',
    plural: 'network servers',
    table: networkServers,
    managed: ['key', 'name'],
    key: ['key'],
    label: 'key',
    hasSecret: true,
  }),
  device: kind({
    name: 'device',
    plural: 'devices',
    table: devices,
    managed: ['unitId', 'hubId', 'deviceEui', 'name', 'deviceType', 'reportingIntervalSeconds'],
    key: ['deviceEui'],
    label: 'deviceEui',
    hasSecret: true,
  }),
  lora_sensor: kind({
    name: 'lora_sensor',
    plural: 'LoRa sensors',
    table: loraSensors,
    managed: ['deviceId', 'networkServerId', 'devEui', 'joinEui', 'activationType', 'temperatureSource'],
    key: ['deviceId'],
    label: 'devEui',
    addedByIngest: true,
  }),
  contact: kind({
    name: 'contact',
    plural: 'contacts',
    table: escalationContacts,
    managed: ['siteId', 'name', 'email', 'phone', 'level', 'channels', 'enabled'],
    key: ['name'],
    label: 'name',
  }),
  alert_rule: kind({
    name: 'alert_rule',
    plural: 'alert rules',
    table: alertRules,
    managed: [
      'siteId',
      'unitId',
      'name',
      'alertType',
      'severity',
      'conditionType',
      'condition',
      'preset',
      'presetVersion',
      'enabled',
      'schedule',
    ],
    key: ['siteId', 'unitId', 'name', 'conditionType'],
    label: 'name',
    versioned: true,
  }),
} satisfies Record<string, Kind>

export type KindName = keyof typeof KINDS

export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[]

/** The natural key of a row of this kind, as one text. */
export function keyOf(of: Kind, values: Values): string {
  return JSON.stringify(of.key.map((property) => values[property] ?? null))
}

export function columnOf(of: Kind, property: string): PgColumn {
  const column = getTableColumns(of.table)[property]
  if (!column) throw new Error(`Table of kind ${of.name} has no column ${property}`)
  return column
}

/** The same values by the names that the columns have in the database, for records that outlive this code. */
export function byColumnName(of: Kind, values: Values): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([property, value]) => [columnOf(of, property).name, value]),
  )
}
