import type {
  Fleet,
  FleetArea,
  FleetContact,
  FleetDevice,
  FleetHub,
  FleetSite,
  FleetUnit,
} from './fleet-file.ts'
import { expandRule, type PlainRule } from './rules.ts'

/** A thing of the file and where it stands there. */
interface Located {
  path: string
}
type LocatedSite = Located & { site: FleetSite }
type LocatedHub = LocatedSite & { hub: FleetHub }
type LocatedArea = LocatedSite & { area: FleetArea }
type LocatedUnit = LocatedArea & { unit: FleetUnit }
export type LocatedDevice = LocatedUnit & { device: FleetDevice }
type LocatedContact = Located & { contact: FleetContact }
export type LocatedRule = Located & { rule: PlainRule }
type LocatedServer = Located & { server: Fleet['network_servers'][number] }

/** The things of a fleet file, kind by kind, each with its parents. */
export interface FlatFleet {
  organization: Fleet['organization']
  sites: LocatedSite[]
  hubs: LocatedHub[]
  areas: LocatedArea[]
  units: LocatedUnit[]
  devices: LocatedDevice[]
  networkServers: LocatedServer[]
  contacts: LocatedContact[]
  /** Presets are expanded. */
  rules: LocatedRule[]
}

export function flattenFleet(fleet: Fleet): FlatFleet {
  const sites = fleet.sites.map((site, i) => ({ site, path: `sites[${i}]` }))
  const areas = sites.flatMap((parent) =>
    parent.site.areas.map((area, i) => ({ ...parent, area, path: `${parent.path}.areas[${i}]` })),
  )
  const units = areas.flatMap((parent) =>
    parent.area.units.map((unit, i) => ({ ...parent, unit, path: `${parent.path}.units[${i}]` })),
  )
  return {
    organization: fleet.organization,
    sites,
    areas,
    units,
    hubs: sites.flatMap((parent) =>
      parent.site.hubs.map((hub, i) => ({ ...parent, hub, path: `${parent.path}.hubs[${i}]` })),
    ),
    devices: units.flatMap((parent) =>
      parent.unit.devices.map((device, i) => ({ ...parent, device, path: `${parent.path}.devices[${i}]` })),
    ),
    networkServers: fleet.network_servers.map((server, i) => ({ server, path: `network_servers[${i}]` })),
    contacts: fleet.contacts.map((contact, i) => ({ contact, path: `contacts[${i}]` })),
    rules: fleet.alert_rules.flatMap((rule, i) =>
      expandRule(rule).map((plain) => ({ rule: plain, path: `alert_rules[${i}]` })),
    ),
  }
}
