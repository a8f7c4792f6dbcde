import { relations } from 'drizzle-orm'
import { sites } from '../schema/hierarchy.ts'
import { organizations } from '../schema/tenancy.ts'
import { escalationContacts, profiles, userRoles } from '../schema/users.ts'

export const profilesRelations = relations(profiles, ({ many }) => ({
  userRoles: many(userRoles),
  escalationContacts: many(escalationContacts),
}))

export const userRolesRelations = relations(userRoles, ({ one }) => ({
  organization: one(organizations, { fields: [userRoles.organizationId], references: [organizations.id] }),
  profile: one(profiles, { fields: [userRoles.profileId], references: [profiles.id] }),
  site: one(sites, { fields: [userRoles.siteId], references: [sites.id] }),
}))

export const escalationContactsRelations = relations(escalationContacts, ({ one }) => ({
  organization: one(organizations, {
    fields: [escalationContacts.organizationId],
    references: [organizations.id],
  }),
  site: one(sites, { fields: [escalationContacts.siteId], references: [sites.id] }),
  profile: one(profiles, { fields: [escalationContacts.profileId], references: [profiles.id] }),
}))
