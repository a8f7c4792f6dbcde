import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { organizations } from '../schema/index.ts'
import { changed, exampleFleet } from './testing/example-fleet.ts'
import { type FleetFixture, type Options, openFleetFixture, totals } from './testing/fleet-fixture.ts'

const UNIT = 'sites[0].areas[0].units[0]'
const DEVICE = `${UNIT}.devices[0]`
const cooler = exampleFleet().sites[0]?.areas[0]?.units[0]
const device = cooler?.devices[0]

let fixture: FleetFixture

/** The database has the example, with a second site, and another organization with the same kinds of things. */
beforeAll(async () => {
  fixture = await openFleetFixture()
  await fixture.apply(exampleFleet())
  await fixture.apply(
    changed(exampleFleet(), {
      sites: [
        {
          name: 'Hamburg',
          hubs: [{ key: 'hub-hamburg' }],
          areas: [{ name: 'Kitchen', units: [fridge('Fridge')] }],
        },
      ],
      alert_rules: [],
    }),
  )
  await fixture.apply({
    organization: { slug: 'other', name: 'Other' },
    sites: [
      {
        name: 'Far',
        hubs: [{ key: 'hub-other' }],
        areas: [{ name: 'A', units: [{ ...fridge('U'), devices: [{ device_eui: '00000000000000aa' }] }] }],
      },
    ],
    network_servers: [{ key: 'ns-other' }],
  })
})

afterAll(async () => {
  await fixture?.close()
})

function fridge(name: string) {
  return { name, unit_type: 'fridge' }
}

async function complaint(changes: Record<string, unknown>, options: Options = {}): Promise<string> {
  const before = await fixture.db.select().from(organizations)
  const error = await fixture.apply(changed(exampleFleet(), changes), options).then(
    () => new Error('no error'),
    (reason: Error) => reason,
  )
  expect(await fixture.db.select().from(organizations)).toEqual(before)
  return `${error.name}: ${error.message}`
}

describe('duplicates within the file', () => {
  it.each<[Record<string, unknown>, string]>([
    [
      { 'sites[1]': { name: 'Berlin Mitte' } },
      'sites[1].name: the site "Berlin Mitte" is already in the file, at sites[0].name',
    ],
    [
      { 'sites[1]': { name: 'Hamburg', hubs: [{ key: 'hub-berlin-1' }] } },
      'sites[1].hubs[0].key: the hub "hub-berlin-1" is',
    ],
    [
      { 'sites[0].areas[1]': { name: 'Kitchen' } },
      'sites[0].areas[1].name: the area "Kitchen" of site "Berlin Mitte" is',
    ],
    [
      { 'sites[0].areas[0].units[1]': fridge('Walk-in cooler') },
      'units[1].name: the unit "Walk-in cooler" of area "Kitchen"',
    ],
    [
      { [`${UNIT}.devices[1]`]: { ...device, device_eui: '24:E1:24:13:6B:50:2F:4A' } },
      `${UNIT}.devices[1].device_eui: the device 24e124136b502f4a is already in the file, at ${DEVICE}.device_eui`,
    ],
    [
      { 'network_servers[1]': { key: 'chirpstack-1' } },
      'network_servers[1].key: the network server "chirpstack-1" is',
    ],
    [{ 'contacts[1]': { name: 'On call', phone: '112' } }, 'contacts[1].name: the contact "On call" is'],
    [
      {
        'alert_rules[1]': {
          ...exampleFleet().alert_rules[0],
          scope: { site: 'Berlin Mitte', area: 'Kitchen', unit: 'Walk-in cooler' },
        },
      },
      'alert_rules[1]: is the same rule as alert_rules[0]',
    ],
  ])('refuses %j', async (changes, message) => {
    expect(await complaint(changes)).toContain(message)
  })
})

describe('references', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ [`${DEVICE}.hub`]: 'hub-nowhere' }, `${DEVICE}.hub: there is no hub "hub-nowhere"`],
    [
      { [`${DEVICE}.hub`]: 'hub-hamburg' },
      `${DEVICE}.hub: hub "hub-hamburg" stands at site "Hamburg", the device at`,
    ],
    [{ [`${DEVICE}.hub`]: 'hub-other' }, `${DEVICE}.hub: there is no hub "hub-other"`],
    [
      { [`${DEVICE}.lora`]: { network_server: 'x' } },
      `${DEVICE}.lora.network_server: there is no network server "x"`,
    ],
    [{ 'contacts[0].site': 'Paris' }, 'contacts[0].site: there is no site "Paris"'],
    [{ 'alert_rules[0].scope': { site: 'Paris' } }, 'alert_rules[0].scope: there is no site "Paris"'],
    [
      { 'alert_rules[0].scope': { site: 'Hamburg', unit: 'Oven' } },
      'there is no unit "Oven" at site "Hamburg"',
    ],
    [
      { 'sites[0].areas[1]': { name: 'Bar', units: [fridge('Walk-in cooler')] } },
      'alert_rules[0].scope: site "Berlin Mitte" has 2 units "Walk-in cooler"; give the area too',
    ],
    [
      { 'organization.sensor_limit': 0 },
      'organization.sensor_limit: allows 0 sensors, but the organization would have 1',
    ],
  ])('refuses %j', async (changes, message) => {
    expect(await complaint(changes)).toContain(message)
  })

  it.each<[Record<string, unknown>, string]>([
    [
      { 'sites[0].hubs[1]': { key: 'hub-other' } },
      'sites[0].hubs[1].key: hub "hub-other" belongs to another organization, "other"',
    ],
    [
      { [`${UNIT}.devices[1]`]: { device_eui: '00-00-00-00-00-00-00-AA' } },
      'device 00000000000000aa belongs to another organization, "other"',
    ],
    [
      { 'network_servers[1]': { key: 'ns-other' } },
      'network server "ns-other" belongs to another organization, "other"',
    ],
  ])('refuses what is not ours: %j', async (changes, message) => {
    expect(await complaint(changes)).toContain(message)
  })

  it('takes what only the database has, unless it would be pruned', async () => {
    const changes = { 'alert_rules[0].scope': { site: 'Hamburg', unit: 'Fridge' } }
    expect(await complaint(changes, { prune: true })).toContain('there is no site "Hamburg"')
    const report = await fixture.apply(changed(exampleFleet(), changes))
    expect(totals(report)).toMatchObject({ created: 1 })
  })

  it('says which log-ins can be rotated', async () => {
    for (const name of ['hub-nowhere', 'hub-other', 'device:24e124136b502f4a', 'ns:x']) {
      expect(await complaint({}, { rotate: [name] })).toContain(
        `--rotate ${name}: nobody of organization "demo"`,
      )
    }
  })
})
