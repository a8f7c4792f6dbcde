import { relations } from 'drizzle-orm'
import { alertRules } from '../schema/alerts.ts'
import { devices, loraSensors } from '../schema/devices.ts'
import { ruleEpisodes, ruleStates } from '../schema/evaluation.ts'
import { hubs, sites, units } from '../schema/hierarchy.ts'
import { receipts, rejectedMessages, rejectedPayloads } from '../schema/ingest.ts'
import { networkServers, operatorCredentials } from '../schema/network-servers.ts'
import { maintenanceWindows } from '../schema/operations.ts'
import { deviceAssignments } from '../schema/registry.ts'
import { organizations } from '../schema/tenancy.ts'
import { profiles } from '../schema/users.ts'

export const networkServersRelations = relations(networkServers, ({ one, many }) => ({
  organization: one(organizations, {
    fields: [networkServers.organizationId],
    references: [organizations.id],
  }),
  loraSensors: many(loraSensors),
}))

export const operatorCredentialsRelations = relations(operatorCredentials, ({ one }) => ({
  organization: one(organizations, {
    fields: [operatorCredentials.organizationId],
    references: [organizations.id],
  }),
}))

export const receiptsRelations = relations(receipts, ({ one }) => ({
  hub: one(hubs, { fields: [receipts.hubId], references: [hubs.id] }),
}))

export const rejectedPayloadsRelations = relations(rejectedPayloads, ({ many }) => ({
  messages: many(rejectedMessages),
}))

export const rejectedMessagesRelations = relations(rejectedMessages, ({ one }) => ({
  payload: one(rejectedPayloads, {
    fields: [rejectedMessages.payloadId],
    references: [rejectedPayloads.id],
  }),
}))

export const deviceAssignmentsRelations = relations(deviceAssignments, ({ one }) => ({
  organization: one(organizations, {
    fields: [deviceAssignments.organizationId],
    references: [organizations.id],
  }),
  device: one(devices, { fields: [deviceAssignments.deviceId], references: [devices.id] }),
  site: one(sites, { fields: [deviceAssignments.siteId], references: [sites.id] }),
  unit: one(units, { fields: [deviceAssignments.unitId], references: [units.id] }),
  hub: one(hubs, { fields: [deviceAssignments.hubId], references: [hubs.id] }),
}))

export const maintenanceWindowsRelations = relations(maintenanceWindows, ({ one }) => ({
  organization: one(organizations, {
    fields: [maintenanceWindows.organizationId],
    references: [organizations.id],
  }),
  site: one(sites, { fields: [maintenanceWindows.siteId], references: [sites.id] }),
  unit: one(units, { fields: [maintenanceWindows.unitId], references: [units.id] }),
  createdByProfile: one(profiles, { fields: [maintenanceWindows.createdBy], references: [profiles.id] }),
}))

export const ruleStatesRelations = relations(ruleStates, ({ one }) => ({
  unit: one(units, { fields: [ruleStates.unitId], references: [units.id] }),
  device: one(devices, { fields: [ruleStates.deviceId], references: [devices.id] }),
}))

export const ruleEpisodesRelations = relations(ruleEpisodes, ({ one }) => ({
  unit: one(units, { fields: [ruleEpisodes.unitId], references: [units.id] }),
  device: one(devices, { fields: [ruleEpisodes.deviceId], references: [devices.id] }),
  rule: one(alertRules, { fields: [ruleEpisodes.ruleId], references: [alertRules.id] }),
}))
