import { z } from 'zod'
import type { FleetPlan, PlannedDevice, PublisherName } from '../types.ts'

/** For devices without a reporting interval, and the interval that the alert rules assume for them (docs/provisioning.md). */
const INTERVAL_DEFAULT_SECONDS = 300

const device = z.object({
  device_eui: z.string().transform((text) => text.replaceAll(/[:-]/g, '').toLowerCase()),
  device_type: z.string().nullish(),
  reporting_interval_seconds: z.number().positive().nullish(),
  hub: z.string().nullish(),
  connects: z.boolean().nullish(),
  lora: z.object({ network_server: z.string().nullish() }).nullish(),
})
const unit = z.object({
  name: z.string(),
  unit_type: z.string(),
  temp_min: z.number().nullish(),
  temp_max: z.number().nullish(),
  devices: z.array(device).default([]),
})
const area = z.object({ name: z.string(), units: z.array(unit).default([]) })
const site = z.object({
  name: z.string(),
  hubs: z.array(z.object({ key: z.string() })).default([]),
  areas: z.array(area).default([]),
})
/** Only what the simulators need of a fleet file; `fleet:apply` checks the whole. */
const fleet = z.object({ organization: z.object({ slug: z.string() }), sites: z.array(site).default([]) })

type Device = z.output<typeof device>
type Unit = z.output<typeof unit>

const credentials = z.object({
  hubs: z.record(z.string(), z.string()).default({}),
  devices: z.record(z.string(), z.string()).default({}),
  network_servers: z.record(z.string(), z.string()).default({}),
})

/**
 * The plan of a fleet file (docs/provisioning.md), given as parsed JSON. Devices that have neither a hub, nor a network
 * server, nor a log-in of their own are left out. Throws an `Error` that names the first field that is wrong.
 */
export function readFleetPlan(json: unknown): FleetPlan {
  const { organization, sites } = check(fleet, json, 'The fleet file')
  const places = sites.flatMap((site) =>
    site.areas.flatMap((area) =>
      area.units.map((unit) => ({ id: [site.name, area.name, unit.name].join('/'), unit })),
    ),
  )
  return {
    organization: organization.slug,
    units: places.map(({ id, unit }) => planUnit(id, unit)),
    hubs: sites.flatMap(({ hubs }) => hubs.map(({ key }) => key)),
  }
}

/**
 * The passwords of a credentials file, given as parsed JSON, by publisher: a hub's key, "ns:<key>" or "device:<DevEUI>". Throws an
 * `Error` that names the field that is wrong, without its value.
 */
export function readCredentials(json: unknown): Map<PublisherName, string> {
  const { hubs, devices, network_servers } = check(credentials, json, 'The credentials file')
  const ofDevices = Object.entries(devices).map(([devEui, secret]) => [`device:${devEui}`, secret] as const)
  const ofServers = Object.entries(network_servers).map(([key, secret]) => [`ns:${key}`, secret] as const)
  return new Map([...Object.entries(hubs), ...ofServers, ...ofDevices])
}

function planUnit(id: string, unit: Unit) {
  return {
    id,
    unitType: unit.unit_type,
    tempMin: unit.temp_min ?? null,
    tempMax: unit.temp_max ?? null,
    devices: unit.devices.flatMap(planDevice),
  }
}

function planDevice(device: Device): PlannedDevice[] {
  const publisher = publisherOf(device)
  if (publisher === null) return []
  return [
    {
      devEui: device.device_eui,
      deviceType: device.device_type ?? 'temperature',
      intervalSeconds: device.reporting_interval_seconds ?? INTERVAL_DEFAULT_SECONDS,
      hub: publisher,
    },
  ]
}

/** Null where nothing publishes for it. A device with a log-in of its own uses it, also where it stands near a hub. */
function publisherOf({ connects, hub, lora }: Device): string | undefined | null {
  if (connects) return undefined
  if (hub) return hub
  return lora?.network_server ? `ns:${lora.network_server}` : null
}

function check<Schema extends z.ZodType>(schema: Schema, json: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = issue?.path.join('.') || 'the top'
  throw new Error(
    `${what} cannot be used, at ${path}: ${issue?.message}. Expected is what docs/provisioning.md describes.`,
  )
}
