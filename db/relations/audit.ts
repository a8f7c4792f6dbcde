import { relations } from 'drizzle-orm'
import { eventLogs } from '../schema/audit.ts'
import { organizations } from '../schema/tenancy.ts'
import { profiles } from '../schema/users.ts'

export const eventLogsRelations = relations(eventLogs, ({ one }) => ({
  organization: one(organizations, { fields: [eventLogs.organizationId], references: [organizations.id] }),
  actorProfile: one(profiles, { fields: [eventLogs.actorProfileId], references: [profiles.id] }),
}))
