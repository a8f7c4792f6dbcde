import { relations } from 'drizzle-orm'
import { alertRules, alerts } from '../schema/alerts.ts'
import { devices } from '../schema/devices.ts'
import { hubs, sites } from '../schema/hierarchy.ts'
import { networkServers, operatorCredentials } from '../schema/network-servers.ts'
import { organizations, subscriptions } from '../schema/tenancy.ts'
import { escalationContacts, userRoles } from '../schema/users.ts'

export const organizationsRelations = relations(organizations, ({ one, many }) => ({
  subscriptions: many(subscriptions),
  userRoles: many(userRoles),
  escalationContacts: many(escalationContacts),
  sites: many(sites),
  hubs: many(hubs),
  devices: many(devices),
  alertRules: many(alertRules),
  alerts: many(alerts),
  networkServers: many(networkServers),
  operatorCredential: one(operatorCredentials),
}))

export const subscriptionsRelations = relations(subscriptions, ({ one }) => ({
  organization: one(organizations, {
    fields: [subscriptions.organizationId],
    references: [organizations.id],
  }),
}))
