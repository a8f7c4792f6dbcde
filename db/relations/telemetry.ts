import { relations } from 'drizzle-orm'
import { devices } from '../schema/devices.ts'
import { units } from '../schema/hierarchy.ts'
import { doorEvents, manualTemperatureLogs, sensorReadings } from '../schema/telemetry.ts'
import { organizations } from '../schema/tenancy.ts'
import { profiles } from '../schema/users.ts'

// The hot tables have no foreign keys; these relations are for reading only.

export const sensorReadingsRelations = relations(sensorReadings, ({ one }) => ({
  device: one(devices, { fields: [sensorReadings.deviceId], references: [devices.id] }),
  unit: one(units, { fields: [sensorReadings.unitId], references: [units.id] }),
}))

export const doorEventsRelations = relations(doorEvents, ({ one }) => ({
  device: one(devices, { fields: [doorEvents.deviceId], references: [devices.id] }),
  unit: one(units, { fields: [doorEvents.unitId], references: [units.id] }),
}))

export const manualTemperatureLogsRelations = relations(manualTemperatureLogs, ({ one }) => ({
  organization: one(organizations, {
    fields: [manualTemperatureLogs.organizationId],
    references: [organizations.id],
  }),
  unit: one(units, { fields: [manualTemperatureLogs.unitId], references: [units.id] }),
  profile: one(profiles, { fields: [manualTemperatureLogs.profileId], references: [profiles.id] }),
}))
