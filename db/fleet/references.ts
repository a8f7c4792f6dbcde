import type { FlatFleet, LocatedDevice, LocatedRule } from './flatten.ts'
import type { Issue } from './fleet-error.ts'
import type { Places } from './places.ts'
import type { FleetState } from './state.ts'

/** Names that lead nowhere, keys that belong to others, and more sensors than the organization may have. */
export function findBadReferences(flat: FlatFleet, state: FleetState, places: Places): Issue[] {
  return [
    ...foreignKeys(flat, state),
    ...flat.devices.flatMap((located) => deviceIssues(located, places)),
    ...flat.contacts.flatMap(({ path, contact }) => {
      if (!contact.site || places.sites.has(contact.site)) return []
      return [{ path: `${path}.site`, message: unknownSite(contact.site) }]
    }),
    ...sensorLimit(flat, places),
  ]
}

function foreignKeys(flat: FlatFleet, { foreign }: FleetState): Issue[] {
  const issue = (path: string, what: string, owner: string | undefined): Issue[] =>
    owner === undefined ? [] : [{ path, message: `${what} belongs to another organization, "${owner}"` }]
  return [
    ...flat.hubs.flatMap(({ path, hub }) =>
      issue(`${path}.key`, `hub "${hub.key}"`, foreign.hub.get(hub.key)),
    ),
    ...flat.devices.flatMap(({ path, device }) =>
      issue(`${path}.device_eui`, `device ${device.device_eui}`, foreign.device.get(device.device_eui)),
    ),
    ...flat.networkServers.flatMap(({ path, server }) =>
      issue(`${path}.key`, `network server "${server.key}"`, foreign.network_server.get(server.key)),
    ),
  ]
}

function deviceIssues({ path, site, device }: LocatedDevice, places: Places): Issue[] {
  const issues: Issue[] = []
  const hubSite = device.hub ? places.hubs.get(device.hub) : site.name
  if (hubSite === undefined) {
    issues.push({
      path: `${path}.hub`,
      message: `there is no hub "${device.hub}"; add it to sites[].hubs or correct the key`,
    })
  } else if (hubSite !== site.name) {
    issues.push({
      path: `${path}.hub`,
      message: `hub "${device.hub}" stands at site "${hubSite}", the device at site "${site.name}"`,
    })
  }
  const server = device.lora?.network_server
  if (server && !places.networkServers.has(server)) {
    issues.push({
      path: `${path}.lora.network_server`,
      message: `there is no network server "${server}"; add it to network_servers or correct the key`,
    })
  }
  return issues
}

function sensorLimit(flat: FlatFleet, { devEuis }: Places): Issue[] {
  const limit = flat.organization.sensor_limit ?? Number.POSITIVE_INFINITY
  if (devEuis.size <= limit) return []
  return [
    {
      path: 'organization.sensor_limit',
      message: `allows ${limit} sensors, but the organization would have ${devEuis.size}`,
    },
  ]
}

/**
 * The rules with the area of each unit that they name, and what is wrong with their scopes. Two that come out with the
 * same scope, name and type of condition are an issue too: the file may name the unit of one with its area and of the other without.
 */
export function resolveScopes(
  rules: readonly LocatedRule[],
  places: Places,
): { rules: LocatedRule[]; issues: Issue[] } {
  const areasOf = Map.groupBy(places.units, ({ site, unit }) => JSON.stringify([site, unit]))
  const seen = new Map<string, string>()
  const issues: Issue[] = []
  const resolved = rules.map((located) => {
    const { path, rule } = located
    const { site, unit } = rule.scope ?? {}
    const candidates = (areasOf.get(JSON.stringify([site, unit])) ?? []).filter(
      (place) => rule.scope?.area === undefined || rule.scope.area === place.area,
    )
    const message = scopeIssue(rule.scope, candidates.length, places)
    if (message !== undefined) issues.push({ path: `${path}.scope`, message })
    const scope = unit === undefined ? rule.scope : { ...rule.scope, ...candidates[0], site: site ?? '' }
    const identity = JSON.stringify([scope?.site, scope?.area, scope?.unit, rule.name, rule.conditionType])
    const other = seen.get(identity)
    if (other !== undefined && message === undefined)
      issues.push({ path, message: `is the same rule as ${other}` })
    seen.set(identity, path)
    return { path, rule: { ...rule, scope } }
  })
  return { rules: resolved, issues }
}

function scopeIssue(scope: LocatedRule['rule']['scope'], units: number, places: Places): string | undefined {
  if (!scope) return undefined
  if (!places.sites.has(scope.site)) return unknownSite(scope.site)
  if (scope.unit === undefined || units === 1) return undefined
  if (units === 0) {
    const area = scope.area === undefined ? '' : ` in area "${scope.area}"`
    return `there is no unit "${scope.unit}"${area} at site "${scope.site}"`
  }
  return `site "${scope.site}" has ${units} units "${scope.unit}"; give the area too`
}

const unknownSite = (site: string) => `there is no site "${site}"; add it to sites or correct the name`
