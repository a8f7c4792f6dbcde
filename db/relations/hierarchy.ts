import { relations } from 'drizzle-orm'
import { alertRules, alerts } from '../schema/alerts.ts'
import { devices } from '../schema/devices.ts'
import { areas, hubs, sites, units } from '../schema/hierarchy.ts'
import { receipts } from '../schema/ingest.ts'
import { doorEvents, manualTemperatureLogs, sensorReadings } from '../schema/telemetry.ts'
import { organizations } from '../schema/tenancy.ts'
import { escalationContacts } from '../schema/users.ts'

export const sitesRelations = relations(sites, ({ one, many }) => ({
  organization: one(organizations, { fields: [sites.organizationId], references: [organizations.id] }),
  areas: many(areas),
  hubs: many(hubs),
  alertRules: many(alertRules),
  escalationContacts: many(escalationContacts),
}))

export const areasRelations = relations(areas, ({ one, many }) => ({
  organization: one(organizations, { fields: [areas.organizationId], references: [organizations.id] }),
  site: one(sites, { fields: [areas.siteId], references: [sites.id] }),
  units: many(units),
}))

export const unitsRelations = relations(units, ({ one, many }) => ({
  organization: one(organizations, { fields: [units.organizationId], references: [organizations.id] }),
  area: one(areas, { fields: [units.areaId], references: [areas.id] }),
  devices: many(devices),
  sensorReadings: many(sensorReadings),
  doorEvents: many(doorEvents),
  manualTemperatureLogs: many(manualTemperatureLogs),
  alertRules: many(alertRules),
  alerts: many(alerts),
}))

export const hubsRelations = relations(hubs, ({ one, many }) => ({
  organization: one(organizations, { fields: [hubs.organizationId], references: [organizations.id] }),
  site: one(sites, { fields: [hubs.siteId], references: [sites.id] }),
  devices: many(devices),
  alerts: many(alerts),
  receipt: one(receipts),
}))
