import { relations } from 'drizzle-orm'
import { alerts } from '../schema/alerts.ts'
import { notificationDeliveries } from '../schema/notifications.ts'
import { organizations } from '../schema/tenancy.ts'
import { escalationContacts, profiles } from '../schema/users.ts'

export const notificationDeliveriesRelations = relations(notificationDeliveries, ({ one }) => ({
  organization: one(organizations, {
    fields: [notificationDeliveries.organizationId],
    references: [organizations.id],
  }),
  alert: one(alerts, { fields: [notificationDeliveries.alertId], references: [alerts.id] }),
  contact: one(escalationContacts, {
    fields: [notificationDeliveries.contactId],
    references: [escalationContacts.id],
  }),
  profile: one(profiles, { fields: [notificationDeliveries.profileId], references: [profiles.id] }),
}))
