/**
 * What operators are sent, as zod schemas: `docs/schemas` and `docs/asyncapi.json` are generated from them, and the
 * messages are built to their types.
 */
import { z } from 'zod'
import { alertSeverity, alertStatus, alertType, unitStatus } from '../db/schema/index.ts'

/** What has become of an alert. */
export const ALERT_TRANSITIONS = [
  'raised',
  'amended',
  'acknowledged',
  'escalated',
  'resolved',
  'reopened',
  'withdrawn',
] as const
export type AlertTransition = (typeof ALERT_TRANSITIONS)[number]

const instant = (description: string) => z.int().meta({ description: `${description}, epoch milliseconds` })
const ourClock = instant("The server's clock when the message was written")
const name = (description: string) => z.string().nullable().meta({ description })
const publicId = (description: string) => z.string().nullable().meta({ description, format: 'uuid' })
const measured = (description: string) =>
  z
    .number()
    .nullable()
    .meta({ description: `${description}: °C, percent, or °C of change` })
const seconds = (description: string) => z.int().min(0).meta({ description })

/** One message per alert transition: the alert after it. */
export const alertMessage = z.object({
  alert: z.string().meta({ description: 'Public id of the alert', format: 'uuid' }),
  transition: z.enum(ALERT_TRANSITIONS),
  unit: publicId('Public id of the unit; null for an alert about a hub'),
  unit_name: name('Name of the unit'),
  site: publicId('Public id of the site'),
  site_name: name('Name of the site'),
  hub: name('Key of the hub, where the alert is about one'),
  hub_name: name('Name of the hub'),
  device: name('DevEUI of the device, where the alert is about one'),
  device_name: name('Name of the device, if it has one'),
  rule: publicId('Public id of the rule; null for a limit of the unit itself'),
  rule_name: name('Name of the rule'),
  rule_version: z.int().nullable(),
  type: z.enum(alertType.enumValues),
  condition: z.string().meta({ description: 'Type of the condition, for example temperature_above' }),
  severity: z.enum(alertSeverity.enumValues),
  status: z.enum(alertStatus.enumValues),
  started_at: instant('First reading of the excursion'),
  triggered_at: instant('When the condition was first met'),
  ended_at: instant('First of the readings that ended it; null while it runs').nullable(),
  detected_at: instant("When it was found, by the server's clock"),
  value: measured('What triggered'),
  limit: measured('The limit'),
  peak: measured('The worst so far'),
  confirmed_seconds: seconds('Time that readings prove'),
  unknown_seconds: seconds('Time of gaps between readings'),
  retrospective: z.boolean().meta({ description: 'Over before anybody could be told' }),
  unproven: z.boolean().meta({ description: 'Kept although late data took away its proof' }),
  resolution: z
    .enum(['recovered', 'by_person', 'rule_changed', 'withdrawn'])
    .nullable()
    .meta({ description: 'How it ended; null while it is open' }),
  paged: z.boolean().meta({ description: 'Whether somebody has been paged' }),
  time: ourClock,
})
export type AlertMessage = z.output<typeof alertMessage>

/** The retained status of a unit. */
export const unitStatusMessage = z.object({
  unit: z.string().meta({ description: 'Public id of the unit', format: 'uuid' }),
  name: z.string(),
  site: z.string().meta({ description: 'Public id of the site', format: 'uuid' }),
  site_name: z.string(),
  status: z.enum(unitStatus.enumValues),
  temperature: z
    .number()
    .nullable()
    .meta({ description: '°C, of the last reading, as the sensor said it; null = none yet' }),
  last_reading_at: instant('Time of the last reading; null = none yet').nullable(),
  since: instant("When the unit came to this status, by the server's clock"),
  time: ourClock,
})
export type UnitStatusMessage = z.output<typeof unitStatusMessage>
