import type { FlatFleet } from './flatten.ts'
import { columnOf, KINDS, type Kind, type KindName, keyOf, type Values } from './kinds.ts'
import type { PlainRule } from './rules.ts'

/** The ids of live rows by kind and natural key, as far as they are known. */
export type Ids = Record<KindName, Map<string, number>>

/** The rows that the file wants of a kind; `ids` must hold the kinds that it refers to. */
export function wantedRows(name: KindName, flat: FlatFleet, ids: Ids): Values[] {
  return WANTED[name](flat, ids)
}

const WANTED: Record<KindName, (flat: FlatFleet, ids: Ids) => Values[]> = {
  organization: (flat) => [complete(KINDS.organization, flat.organization)],
  site: (flat) => flat.sites.map(({ site }) => complete(KINDS.site, site)),
  hub: (flat, ids) =>
    flat.hubs.map(({ site, hub }) =>
      complete(KINDS.hub, hub, { siteId: siteId(ids, site.name), name: hub.name ?? hub.key }),
    ),
  area: (flat, ids) =>
    flat.areas.map(({ site, area }) => complete(KINDS.area, area, { siteId: siteId(ids, site.name) })),
  unit: (flat, ids) =>
    flat.units.map(({ site, area, unit }) =>
      complete(KINDS.unit, unit, { areaId: areaId(ids, site.name, area.name) }),
    ),
  network_server: (flat) => flat.networkServers.map(({ server }) => complete(KINDS.network_server, server)),
  device: (flat, ids) =>
    flat.devices.map(({ site, area, unit, device }) =>
      complete(KINDS.device, device, {
        unitId: unitId(ids, { site: site.name, area: area.name, unit: unit.name }),
        hubId: device.hub ? idOf(ids, 'hub', { key: device.hub }) : null,
      }),
    ),
  lora_sensor: (flat, ids) =>
    flat.devices.flatMap(({ device: { device_eui, lora } }) => {
      if (!lora) return []
      const server = lora.network_server ? idOf(ids, 'network_server', { key: lora.network_server }) : null
      const deviceId = idOf(ids, 'device', { deviceEui: device_eui })
      const extra = { deviceId, networkServerId: server, devEui: device_eui, activationType: lora.activation }
      return [complete(KINDS.lora_sensor, lora, extra)]
    }),
  contact: (flat, ids) =>
    flat.contacts.map(({ contact }) =>
      complete(KINDS.contact, contact, {
        siteId: contact.site ? siteId(ids, contact.site) : null,
        channels: contact.channels ?? [contact.email ? 'email' : 'sms'],
      }),
    ),
  alert_rule: (flat, ids) =>
    flat.rules.map(({ rule }) => complete(KINDS.alert_rule, rule, { ...rule, ...scopeIds(rule.scope, ids) })),
}

/** The narrowest scope only: a rule of a unit is not one of its site. */
function scopeIds(scope: PlainRule['scope'], ids: Ids): Values {
  if (!scope) return { siteId: null, unitId: null }
  if (scope.unit === undefined) return { siteId: siteId(ids, scope.site), unitId: null }
  const { site, area, unit } = scope
  if (area === undefined) throw new Error(`The scope of unit ${unit} was not resolved to its area`)
  return { siteId: null, unitId: unitId(ids, { site, area, unit }) }
}

const siteId = (ids: Ids, name: string) => idOf(ids, 'site', { name })

const areaId = (ids: Ids, site: string, name: string) =>
  idOf(ids, 'area', { siteId: siteId(ids, site), name })

const unitId = (ids: Ids, { site, area, unit }: { site: string; area: string; unit: string }) =>
  idOf(ids, 'unit', { areaId: areaId(ids, site, area), name: unit })

function idOf(ids: Ids, name: KindName, values: Values): number {
  const id = ids[name].get(keyOf(KINDS[name], values))
  if (id === undefined)
    throw new Error(`No ${name} ${JSON.stringify(values)} to refer to: it was not checked`)
  return id
}

/** Every column that the file decides: from `extra`, else the file's field of its name, else the column's default. */
function complete(kind: Kind, fields: object, extra: Values = {}): Values {
  const given = fields as Values
  return Object.fromEntries(
    kind.managed.map((property) => {
      const column = columnOf(kind, property)
      return [property, extra[property] ?? given[column.name] ?? column.default ?? null]
    }),
  )
}
