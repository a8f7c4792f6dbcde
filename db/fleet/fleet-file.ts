import { createInsertSchema } from 'drizzle-zod'
import { z } from 'zod'
import {
  alertRules,
  areas,
  devices,
  escalationContacts,
  hubs,
  loraSensors,
  organizations,
  sites,
  units,
} from '../schema/index.ts'
import { conditionSchema } from './conditions.ts'
import { celsius, eui64, key, macAddress, name, strictObject, text, timezone, wholeNumber } from './fields.ts'
import { PRESETS } from './presets.ts'
import { scheduleSchema } from './schedule.ts'

const DAY_SECONDS = 86_400
const seconds = (max: number) => wholeNumber({ min: 1, max, unit: 'seconds' })

// Which fields may be absent or null, the enums and the integer ranges are the tables'; here is what SQL does not say.
const organization = createInsertSchema(organizations, {
  slug: key,
  name,
  timezone,
  sensorLimit: (column) => column.min(0, 'must not be negative'),
}).shape
const site = createInsertSchema(sites, {
  name,
  street: text,
  postalCode: text,
  city: text,
  region: text,
  country: (column) => column.regex(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166), such as "DE"'),
  timezone,
  latitude: (column) => column.min(-90, 'must be -90 to 90').max(90, 'must be -90 to 90'),
  longitude: (column) => column.min(-180, 'must be -180 to 180').max(180, 'must be -180 to 180'),
}).shape
const area = createInsertSchema(areas, { name }).shape
const unit = createInsertSchema(units, {
  name,
  tempMin: celsius,
  tempMax: celsius,
  manualMonitoringIntervalSeconds: () => seconds(31 * DAY_SECONDS),
}).shape
const hub = createInsertSchema(hubs, {
  key,
  name,
  macAddress,
  heartbeatSeconds: () => seconds(DAY_SECONDS),
}).shape
const device = createInsertSchema(devices, {
  name,
  deviceType: (column) =>
    column.regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be a word such as temperature, door or temperature_door'),
  reportingIntervalSeconds: () => seconds(7 * DAY_SECONDS),
}).shape
const lora = createInsertSchema(loraSensors, { joinEui: eui64, temperatureSource: name }).shape
const contact = createInsertSchema(escalationContacts, {
  name,
  email: () => z.email('must be an e-mail address'),
  phone: (column) =>
    column.regex(/^\+?[\d ()/.-]{3,32}$/, 'must be a telephone number such as "+49 30 1234567"'),
  level: (column) => column.min(1, 'must be 1 (paged first) to 100').max(100, 'must be 1 to 100'),
}).shape
const rule = createInsertSchema(alertRules, { name }).shape

const loraSchema = strictObject({
  network_server: key().nullish(),
  join_eui: lora.joinEui,
  activation: lora.activationType,
  temperature_source: lora.temperatureSource,
})

const deviceSchema = strictObject({
  device_eui: eui64(),
  name: device.name,
  hub: key().nullish(),
  device_type: device.deviceType,
  reporting_interval_seconds: device.reportingIntervalSeconds,
  connects: z.boolean().default(false),
  lora: loraSchema.nullish(),
})

const unitSchema = strictObject({
  name: unit.name,
  unit_type: unit.unitType,
  temp_min: unit.tempMin,
  temp_max: unit.tempMax,
  monitoring_enabled: unit.monitoringEnabled,
  manual_monitoring_required: unit.manualMonitoringRequired,
  manual_monitoring_interval_seconds: unit.manualMonitoringIntervalSeconds,
  devices: z.array(deviceSchema).default([]),
}).refine((value) => (value.temp_min ?? -Infinity) < (value.temp_max ?? Infinity), {
  path: ['temp_max'],
  error: 'must be more than temp_min',
})

const areaSchema = strictObject({
  name: area.name,
  sort_order: area.sortOrder,
  units: z.array(unitSchema).default([]),
})

const hubSchema = strictObject({
  key: hub.key,
  name: hub.name.optional(),
  mac_address: hub.macAddress,
  heartbeat_seconds: hub.heartbeatSeconds,
})

const siteSchema = strictObject({
  name: site.name,
  street: site.street,
  postal_code: site.postalCode,
  city: site.city,
  region: site.region,
  country: site.country,
  timezone: site.timezone,
  latitude: site.latitude,
  longitude: site.longitude,
  hubs: z.array(hubSchema).default([]),
  areas: z.array(areaSchema).default([]),
})

const contactSchema = strictObject({
  name: contact.name,
  site: name().nullish(),
  email: contact.email,
  phone: contact.phone,
  level: contact.level,
  channels: contact.channels.refine((value) => value?.length !== 0, 'must name at least one channel'),
  enabled: contact.enabled,
})
  .refine((value) => value.email ?? value.phone, 'needs an email or a phone')
  .refine((value) => !value.channels?.includes('email') || value.email, {
    path: ['channels'],
    error: 'includes "email", but the contact has no email',
  })
  .refine((value) => !value.channels?.includes('sms') || value.phone, {
    path: ['channels'],
    error: 'includes "sms", but the contact has no phone',
  })

const presetSchema = strictObject({
  preset: z.string().refine((value) => Object.hasOwn(PRESETS, value), {
    error: `must be one of ${Object.keys(PRESETS).join(', ')}`,
  }),
})

/** Chooses by the field that says what it is: a union of both would report the errors of both. */
const conditionOrPreset = z.looseObject({}).transform((value, context) => {
  const result = ('preset' in value ? presetSchema : conditionSchema).safeParse(value, { reportInput: true })
  if (result.success) return result.data
  for (const issue of result.error.issues) context.addIssue({ ...issue })
  return z.NEVER
})

const ruleSchema = strictObject({
  name: rule.name,
  scope: strictObject({ site: name(), area: name().optional(), unit: name().optional() })
    .refine((value) => value.area === undefined || value.unit !== undefined, {
      path: ['area'],
      error: 'only tells apart units of the same name: give the unit too',
    })
    .nullish(),
  condition: conditionOrPreset,
  severity: rule.severity,
  enabled: rule.enabled,
  schedule: scheduleSchema.nullish(),
})

/** A fleet file, as docs/provisioning.md describes it. */
export const fleetSchema = strictObject({
  organization: strictObject({
    slug: organization.slug,
    name: organization.name,
    timezone: organization.timezone,
    compliance_mode: organization.complianceMode,
    sensor_limit: organization.sensorLimit,
  }),
  sites: z.array(siteSchema).default([]),
  network_servers: z.array(strictObject({ key: key(), name: name().nullish() })).default([]),
  contacts: z.array(contactSchema).default([]),
  alert_rules: z.array(ruleSchema).default([]),
})

export type Fleet = z.output<typeof fleetSchema>
export type FleetSite = Fleet['sites'][number]
export type FleetHub = FleetSite['hubs'][number]
export type FleetArea = FleetSite['areas'][number]
export type FleetUnit = FleetArea['units'][number]
export type FleetDevice = FleetUnit['devices'][number]
export type FleetContact = Fleet['contacts'][number]
export type FleetRule = Fleet['alert_rules'][number]
