import { Random } from '../random.ts'
import { type DeviceEntry, drawDevEui, drawUnitDevices } from './generate-devices.ts'
import { CITIES, type UnitTemplate, VENUES, type Venue } from './venues.ts'

const ORGANIZATION_DEFAULT = 'simulated'
const HUB_DIGITS = 4
const EVERY_UNIT_RULES = [
  { name: 'Silent', condition: { type: 'no_data', missed: 5 }, severity: 'warning' },
  { name: 'Battery low', condition: { type: 'battery_below', limit: 20 }, severity: 'info' },
  { name: 'Door open', condition: { type: 'door_open', for_seconds: 300 }, severity: 'warning' },
  { name: 'Sensor stuck', condition: { type: 'sensor_fault', kind: 'stuck' }, severity: 'warning' },
]

export interface GenerateFleetOptions {
  hubs: number
  sensorsPerHub: number
  intervalSeconds: number
  /** Of a hundred sensors, so many that reach us through LoRaWAN instead of their hub; default 0. */
  loraPercent?: number
  seed: number
  /** Slug; default "simulated"; hub keys begin with it. */
  organization?: string
}

interface UnitEntry extends Omit<UnitTemplate, 'area' | 'preset'> {
  devices: DeviceEntry[]
}

interface SiteEntry {
  name: string
  city: string
  country: string
  timezone: string
  latitude: number
  longitude: number
  hubs: { key: string; name: string }[]
  areas: { name: string; units: UnitEntry[] }[]
}

interface RuleEntry {
  name: string
  scope?: { site: string; area: string; unit: string }
  condition: Record<string, unknown>
  severity: string
}

/** A fleet file as docs/provisioning.md describes it, as far as it is generated. */
export interface FleetFile {
  organization: { slug: string; name: string; timezone: string }
  sites: SiteEntry[]
  network_servers: { key: string }[]
  contacts: { name: string; email: string }[]
  alert_rules: RuleEntry[]
}

/** Where the next device goes, and what is drawn from. */
interface Draft {
  random: Random
  options: GenerateFleetOptions & { organization: string }
  devEuis: Set<string>
  /** By preset: the first unit that has it. */
  presets: Map<string, RuleEntry>
}

/**
 * A fleet of restaurants, pharmacies and cold stores: the JSON of a fleet file, with exactly hubs × sensorsPerHub
 * devices, those that connect by themselves included. The same options give the same fleet. Throws a `RangeError` for
 * numbers that are not whole and positive.
 */
export function generateFleet(options: GenerateFleetOptions): FleetFile {
  const { hubs, sensorsPerHub, intervalSeconds, seed } = options
  const { organization = ORGANIZATION_DEFAULT, loraPercent = 0 } = options
  assertCounts({ hubs, sensorsPerHub, intervalSeconds })
  const draft: Draft = {
    random: new Random(seed, 'fleet', organization),
    options: { ...options, organization },
    devEuis: new Set(),
    presets: new Map(),
  }
  const sites = drawSites(draft)
  return {
    organization: { slug: organization, name: 'Simulated Foods', timezone: 'Europe/Berlin' },
    sites,
    network_servers: loraPercent > 0 ? networkServers(organization).map((key) => ({ key })) : [],
    contacts: [{ name: 'On call', email: 'oncall@example.com' }],
    alert_rules: [...EVERY_UNIT_RULES, ...draft.presets.values()],
  }
}

function assertCounts(counts: Record<string, number>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (Number.isInteger(count) && count > 0) continue
    throw new RangeError(`A fleet cannot be generated with ${name} ${count}; give a whole number from 1.`)
  }
}

function drawSites(draft: Draft): SiteEntry[] {
  const sites: SiteEntry[] = []
  for (let hubs = 0; hubs < draft.options.hubs; ) {
    const site = drawSite(draft, { number: sites.length + 1, firstHub: hubs + 1 })
    sites.push(site)
    hubs += site.hubs.length
  }
  return sites
}

function drawSite(draft: Draft, { number, firstHub }: { number: number; firstHub: number }): SiteEntry {
  const { random, options } = draft
  const venue = pickVenue(random)
  const place = random.pick(CITIES)
  const hubCount = Math.min(random.integer(...venue.hubsPerSite), options.hubs - firstHub + 1)
  const keys = Array.from({ length: hubCount }, (_, index) => hubKey(options.organization, firstHub + index))
  const site: SiteEntry = {
    name: `${random.pick(venue.names)} ${place.city} ${number}`,
    ...place,
    hubs: keys.map((key, index) => ({ key, name: `Hub ${index + 1}` })),
    areas: [],
  }
  const templates = numbered(venue.units)
  for (const hub of keys) fillHub(draft, { site, hub, templates })
  return site
}

function pickVenue(random: Random): Venue {
  return random.pick(VENUES.flatMap((venue) => Array<Venue>(venue.weight).fill(venue)))
}

/** Keys and DevEUIs are taken once in a database: fleets of several organizations do not collide. */
const hubKey = (organization: string, number: number) =>
  `${organization}-hub-${String(number).padStart(HUB_DIGITS, '0')}`

/** The units of a venue again and again: "Prep fridge 1", ..., "Prep fridge 2". */
function* numbered(units: readonly UnitTemplate[]): Generator<UnitTemplate, never> {
  for (let round = 1; ; round++) for (const unit of units) yield { ...unit, name: `${unit.name} ${round}` }
}

/** Gives a hub units until it has its number of sensors. */
function fillHub(
  draft: Draft,
  { site, hub, templates }: { site: SiteEntry; hub: string; templates: Generator<UnitTemplate, never> },
): void {
  let left = draft.options.sensorsPerHub
  while (left > 0) {
    const { area, preset, ...unit } = templates.next().value
    const devices = drawUnitDevices(draft.random, {
      hub,
      networkServerOf: (devEui) => drawNetworkServer(devEui, draft.options),
      intervalSeconds: draft.options.intervalSeconds,
      countMax: left,
      drawDevEui: () => drawDevEui(draft.random, draft.devEuis),
    })
    left -= devices.length
    areaOf(site, area).units.push({ ...unit, devices })
    if (preset) addPreset(draft, preset, { site: site.name, area, unit: unit.name })
  }
}

/** Drawn by the device alone: with another share, the other devices of the fleet stay as they are. */
function drawNetworkServer(
  devEui: string,
  { seed, organization, loraPercent = 0 }: Draft['options'],
): string | undefined {
  const random = new Random(seed, 'lora', devEui)
  return random.chance(loraPercent / 100) ? random.pick(networkServers(organization)) : undefined
}

/** One that speaks as ChirpStack does, one as The Things Stack. */
const networkServers = (organization: string) => [`${organization}-network-1`, `${organization}-network-2`]

function areaOf(site: SiteEntry, name: string): SiteEntry['areas'][number] {
  const found = site.areas.find((area) => area.name === name)
  if (found) return found
  const area = { name, units: [] }
  site.areas.push(area)
  return area
}

/** One unit of each kind has the rules that are usual for it; the others are judged by their limits. */
function addPreset({ presets }: Draft, preset: string, scope: RuleEntry['scope'] & object): void {
  if (presets.has(preset)) return
  presets.set(preset, { name: scope.unit, scope, condition: { preset }, severity: 'critical' })
}
