import type { FlatFleet } from './flatten.ts'
import { KINDS, type KindName } from './kinds.ts'
import type { ExistingRow, FleetState } from './state.ts'

interface UnitPlace {
  site: string
  area: string
  unit: string
}

/** What there will be after the file is applied, by the names that a file can use. */
export interface Places {
  sites: ReadonlySet<string>
  /** Hub key → site. */
  hubs: ReadonlyMap<string, string>
  units: readonly UnitPlace[]
  networkServers: ReadonlySet<string>
  devEuis: ReadonlySet<string>
}

/** The file's things, and without `prune` also those that only the database has. */
export function placesAfter(flat: FlatFleet, state: FleetState, prune: boolean): Places {
  const live = (kind: KindName) => (prune ? [] : state.rows[kind].filter((row) => row.live))
  const label = (kind: KindName) => (row: ExistingRow) => String(row.values[KINDS[kind].label])
  const siteName = nameById(state.rows.site)
  return {
    sites: new Set([...live('site').map(label('site')), ...flat.sites.map(({ site }) => site.name)]),
    hubs: new Map([
      ...live('hub').map((row): [string, string] => [label('hub')(row), siteName(row.values['siteId'])]),
      ...flat.hubs.map(({ site, hub }): [string, string] => [hub.key, site.name]),
    ]),
    units: distinct([
      ...storedUnits(state, live('unit')),
      ...flat.units.map(({ site, area, unit }) => ({ site: site.name, area: area.name, unit: unit.name })),
    ]),
    networkServers: new Set([
      ...live('network_server').map(label('network_server')),
      ...flat.networkServers.map(({ server }) => server.key),
    ]),
    devEuis: new Set([
      ...live('device').map(label('device')),
      ...flat.devices.map(({ device }) => device.device_eui),
    ]),
  }
}

function storedUnits(state: FleetState, rows: readonly ExistingRow[]): UnitPlace[] {
  const siteName = nameById(state.rows.site)
  const areas = new Map(state.rows.area.map((row) => [row.id, row.values]))
  return rows.map(({ values }) => {
    const area = areas.get(Number(values['areaId']))
    return { site: siteName(area?.['siteId']), area: String(area?.['name']), unit: String(values['name']) }
  })
}

function nameById(rows: readonly ExistingRow[]): (id: unknown) => string {
  const names = new Map<unknown, string>(rows.map((row) => [row.id, String(row.values['name'])]))
  return (id) => names.get(id) ?? ''
}

function distinct(units: readonly UnitPlace[]): UnitPlace[] {
  return [...new Map(units.map((place) => [JSON.stringify(place), place])).values()]
}
