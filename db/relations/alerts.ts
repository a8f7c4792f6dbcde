import { relations } from 'drizzle-orm'
import { alertRules, alertRulesHistory, alerts, correctiveActions } from '../schema/alerts.ts'
import { devices } from '../schema/devices.ts'
import { hubs, sites, units } from '../schema/hierarchy.ts'
import { notificationDeliveries } from '../schema/notifications.ts'
import { organizations } from '../schema/tenancy.ts'
import { profiles } from '../schema/users.ts'

export const alertRulesRelations = relations(alertRules, ({ one, many }) => ({
  organization: one(organizations, { fields: [alertRules.organizationId], references: [organizations.id] }),
  site: one(sites, { fields: [alertRules.siteId], references: [sites.id] }),
  unit: one(units, { fields: [alertRules.unitId], references: [units.id] }),
  history: many(alertRulesHistory),
  alerts: many(alerts),
}))

export const alertRulesHistoryRelations = relations(alertRulesHistory, ({ one }) => ({
  organization: one(organizations, {
    fields: [alertRulesHistory.organizationId],
    references: [organizations.id],
  }),
  rule: one(alertRules, { fields: [alertRulesHistory.ruleId], references: [alertRules.id] }),
  changedByProfile: one(profiles, { fields: [alertRulesHistory.changedBy], references: [profiles.id] }),
}))

export const alertsRelations = relations(alerts, ({ one, many }) => ({
  organization: one(organizations, { fields: [alerts.organizationId], references: [organizations.id] }),
  unit: one(units, { fields: [alerts.unitId], references: [units.id] }),
  device: one(devices, { fields: [alerts.deviceId], references: [devices.id] }),
  hub: one(hubs, { fields: [alerts.hubId], references: [hubs.id] }),
  rule: one(alertRules, { fields: [alerts.ruleId], references: [alertRules.id] }),
  acknowledgedByProfile: one(profiles, {
    fields: [alerts.acknowledgedBy],
    references: [profiles.id],
    relationName: 'acknowledged',
  }),
  resolvedByProfile: one(profiles, {
    fields: [alerts.resolvedBy],
    references: [profiles.id],
    relationName: 'resolved',
  }),
  correctiveActions: many(correctiveActions),
  notificationDeliveries: many(notificationDeliveries),
}))

export const correctiveActionsRelations = relations(correctiveActions, ({ one }) => ({
  organization: one(organizations, {
    fields: [correctiveActions.organizationId],
    references: [organizations.id],
  }),
  alert: one(alerts, { fields: [correctiveActions.alertId], references: [alerts.id] }),
  profile: one(profiles, { fields: [correctiveActions.profileId], references: [profiles.id] }),
}))
