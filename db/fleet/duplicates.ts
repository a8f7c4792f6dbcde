import type { FlatFleet } from './flatten.ts'
import type { Issue } from './fleet-error.ts'

/** Things that the file names twice: each would overwrite the other. Rules are compared once their scopes are known. */
export function findDuplicates(flat: FlatFleet): Issue[] {
  return [
    ...twice(flat.sites, ({ path, site }) => [`${path}.name`, `site "${site.name}"`]),
    ...twice(flat.hubs, ({ path, hub }) => [`${path}.key`, `hub "${hub.key}"`]),
    ...twice(flat.areas, ({ path, site, area }) => [
      `${path}.name`,
      `area "${area.name}" of site "${site.name}"`,
    ]),
    ...twice(flat.units, ({ path, site, area, unit }) => [
      `${path}.name`,
      `unit "${unit.name}" of area "${area.name}" of site "${site.name}"`,
    ]),
    ...twice(flat.devices, ({ path, device }) => [`${path}.device_eui`, `device ${device.device_eui}`]),
    ...twice(flat.networkServers, ({ path, server }) => [`${path}.key`, `network server "${server.key}"`]),
    ...twice(flat.contacts, ({ path, contact }) => [`${path}.name`, `contact "${contact.name}"`]),
  ]
}

function twice<T>(items: readonly T[], describe: (item: T) => [path: string, identity: string]): Issue[] {
  const first = new Map<string, string>()
  const issues: Issue[] = []
  for (const item of items) {
    const [path, identity] = describe(item)
    const other = first.get(identity)
    if (other === undefined) first.set(identity, path)
    else issues.push({ path, message: `the ${identity} is already in the file, at ${other}` })
  }
  return issues
}
