/** The fleets of the contract test, as fleet files: two organizations, one of them with two sites. */

export const NORTH_HUB = 'hub-north'
/** The other hub of the same site. */
export const NORTH_HUB_2 = 'hub-north-2'
export const SOUTH_HUB = 'hub-south'
export const RIVAL_HUB = 'hub-rival'
export const NETWORK_SERVER = 'chirpstack-1'
/** A device of the north site with a network of its own. */
export const SELF_DEVICE = 'a840410001180f01'
export const SOUTH_DEVICE = 'a840410001180f02'
export const RIVAL_DEVICE = 'a840410001180f03'
export const UNKNOWN_DEVICE = 'a840410001180fff'

const NORTH_DEVICES = 120
const NORTH_SPARE_HUBS = 16

/** A hub of the north site for a test that needs one of its own. */
export function spareHub(index: number): string {
  return `hub-spare-${index}`
}

/** A device of the north site, assigned to `hub-north`. */
export function northDevice(index: number): string {
  return `24e124136b50${index.toString(16).padStart(4, '0')}`
}

export interface FleetFile {
  organization: { slug: string; name: string; timezone: string }
  sites: FleetFileSite[]
  network_servers?: { key: string }[]
  alert_rules?: object[]
}

interface FleetFileSite {
  name: string
  hubs: { key: string }[]
  areas: { name: string; units: FleetFileUnit[] }[]
}

export interface FleetFileUnit {
  name: string
  unit_type: string
  devices: FleetFileDevice[]
}

interface FleetFileDevice {
  device_eui: string
  hub?: string
  device_type: string
  connects?: boolean
}

export function device(devEui: string, hub?: string): FleetFileDevice {
  return { device_eui: devEui, device_type: 'temperature_door', ...(hub === undefined ? {} : { hub }) }
}

/** Sites North (units Cooler and Freezer) and South (unit Display). */
export function acmeFleet(): FleetFile {
  const north = Array.from({ length: NORTH_DEVICES }, (_, index) => device(northDevice(index), NORTH_HUB))
  const spare = Array.from({ length: NORTH_SPARE_HUBS }, (_, index) => ({ key: spareHub(index) }))
  const cooler = [...north, { ...device(SELF_DEVICE), connects: true }]
  return {
    organization: { slug: 'acme', name: 'Acme Foods', timezone: 'Europe/Berlin' },
    sites: [
      {
        name: 'North',
        hubs: [{ key: NORTH_HUB }, { key: NORTH_HUB_2 }, ...spare],
        areas: [{ name: 'Kitchen', units: [fridge('Cooler', cooler), fridge('Freezer', [])] }],
      },
      {
        name: 'South',
        hubs: [{ key: SOUTH_HUB }],
        areas: [{ name: 'Shop', units: [fridge('Display', [device(SOUTH_DEVICE, SOUTH_HUB)])] }],
      },
    ],
    network_servers: [{ key: NETWORK_SERVER }],
  }
}

export function rivalFleet(): FleetFile {
  return {
    organization: { slug: 'rival', name: 'Rival Foods', timezone: 'Europe/Paris' },
    sites: [
      {
        name: 'Only',
        hubs: [{ key: RIVAL_HUB }],
        areas: [{ name: 'Store', units: [fridge('Cold room', [device(RIVAL_DEVICE, RIVAL_HUB)])] }],
      },
    ],
  }
}

/** A unit of a fleet file, to change it in place. */
export function unitOf(fleet: FleetFile, name: string): FleetFileUnit {
  for (const site of fleet.sites) {
    for (const area of site.areas) {
      const found = area.units.find((unit) => unit.name === name)
      if (found) return found
    }
  }
  throw new Error(`The fleet has no unit ${name}`)
}

function fridge(name: string, devices: FleetFileDevice[]): FleetFileUnit {
  return { name, unit_type: 'fridge', devices }
}
