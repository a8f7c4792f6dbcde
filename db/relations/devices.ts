import { relations } from 'drizzle-orm'
import { alerts } from '../schema/alerts.ts'
import { calibrationRecords, devices, loraSensors, pairingSessions } from '../schema/devices.ts'
import { hubs, sites, units } from '../schema/hierarchy.ts'
import { networkServers } from '../schema/network-servers.ts'
import { deviceAssignments } from '../schema/registry.ts'
import { doorEvents, sensorReadings } from '../schema/telemetry.ts'
import { organizations } from '../schema/tenancy.ts'
import { profiles } from '../schema/users.ts'

export const devicesRelations = relations(devices, ({ one, many }) => ({
  organization: one(organizations, { fields: [devices.organizationId], references: [organizations.id] }),
  unit: one(units, { fields: [devices.unitId], references: [units.id] }),
  hub: one(hubs, { fields: [devices.hubId], references: [hubs.id] }),
  loraSensor: one(loraSensors),
  calibrationRecords: many(calibrationRecords),
  assignments: many(deviceAssignments),
  sensorReadings: many(sensorReadings),
  doorEvents: many(doorEvents),
  alerts: many(alerts),
}))

export const loraSensorsRelations = relations(loraSensors, ({ one }) => ({
  organization: one(organizations, { fields: [loraSensors.organizationId], references: [organizations.id] }),
  device: one(devices, { fields: [loraSensors.deviceId], references: [devices.id] }),
  networkServer: one(networkServers, {
    fields: [loraSensors.networkServerId],
    references: [networkServers.id],
  }),
}))

export const pairingSessionsRelations = relations(pairingSessions, ({ one }) => ({
  organization: one(organizations, {
    fields: [pairingSessions.organizationId],
    references: [organizations.id],
  }),
  site: one(sites, { fields: [pairingSessions.siteId], references: [sites.id] }),
  unit: one(units, { fields: [pairingSessions.unitId], references: [units.id] }),
  hub: one(hubs, { fields: [pairingSessions.hubId], references: [hubs.id] }),
  device: one(devices, { fields: [pairingSessions.deviceId], references: [devices.id] }),
  startedByProfile: one(profiles, { fields: [pairingSessions.startedBy], references: [profiles.id] }),
}))

export const calibrationRecordsRelations = relations(calibrationRecords, ({ one }) => ({
  organization: one(organizations, {
    fields: [calibrationRecords.organizationId],
    references: [organizations.id],
  }),
  device: one(devices, { fields: [calibrationRecords.deviceId], references: [devices.id] }),
  performedByProfile: one(profiles, {
    fields: [calibrationRecords.performedBy],
    references: [profiles.id],
  }),
}))
