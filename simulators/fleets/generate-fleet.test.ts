import { readFile } from 'node:fs/promises'
import { describe, expect, it, test } from 'vitest'
import { findDuplicates } from '../../db/fleet/duplicates.ts'
import { flattenFleet } from '../../db/fleet/flatten.ts'
import { parseFleet } from '../../db/fleet/parse.ts'
import { openFleetFixture } from '../../db/fleet/testing/fleet-fixture.ts'
import { generateFleet } from './generate-fleet.ts'
import { readFleetPlan } from './read-fleet.ts'

const SIZES: [hubs: number, sensorsPerHub: number][] = [
  [1, 1],
  [1, 20],
  [3, 7],
  [20, 100],
  [200, 20],
  [1_000, 20],
]

const generate = (hubs: number, sensorsPerHub: number, seed = 1) =>
  generateFleet({ hubs, sensorsPerHub, intervalSeconds: 10, seed })

describe.each(SIZES)('a fleet of %d hubs with %d sensors each', (hubs, sensorsPerHub) => {
  const json = generate(hubs, sensorsPerHub)
  const flat = flattenFleet(parseFleet(JSON.stringify(json), 'generated'))
  const plan = readFleetPlan(json)
  const planned = plan.units.flatMap(({ devices }) => devices)

  it('is accepted by fleet:apply, without anything twice', () => {
    expect(findDuplicates(flat)).toEqual([])
    expect(flat.hubs.map(({ hub }) => hub.key)).toEqual(plan.hubs)
    expect(new Set(flat.devices.map(({ device }) => device.device_eui)).size).toBe(hubs * sensorsPerHub)
    const siteOfHub = new Map(flat.hubs.map(({ hub, site }) => [hub.key, site.name]))
    for (const { device, site } of flat.devices) {
      if (device.hub) expect(siteOfHub.get(device.hub)).toBe(site.name)
    }
  })

  it('has exactly that many hubs and sensors, each planned', () => {
    expect(plan.hubs).toHaveLength(hubs)
    expect(plan.hubs[0]).toBe('simulated-hub-0001')
    expect(planned).toHaveLength(hubs * sensorsPerHub)
    expect(flat.devices).toHaveLength(hubs * sensorsPerHub)
    expect(new Set(plan.units.map(({ id }) => id)).size).toBe(plan.units.length)
    expect(planned.every(({ intervalSeconds }) => intervalSeconds === 10)).toBe(true)
  })

  it('has rules for units that are there', () => {
    const units = new Set(
      flat.units.map(({ site, area, unit }) => [site.name, area.name, unit.name].join('/')),
    )
    for (const { rule } of flat.rules) {
      if (rule.scope) expect(units).toContain([rule.scope.site, rule.scope.area, rule.scope.unit].join('/'))
    }
  })
})

describe('a fleet of some size', () => {
  const json = generate(200, 20)
  const flat = flattenFleet(parseFleet(JSON.stringify(json), 'generated'))
  const shareOf = (holds: (device: (typeof flat.devices)[number]['device']) => boolean) =>
    flat.devices.filter(({ device }) => holds(device)).length / flat.devices.length

  it('has every type of unit with its limits, several devices in many, and every type of device', () => {
    expect(new Set(flat.units.map(({ unit }) => unit.unit_type)).size).toBe(6)
    expect(flat.units.every(({ unit }) => unit.temp_min !== null && unit.temp_max !== null)).toBe(true)
    const several = flat.units.filter(({ unit }) => unit.devices.length > 1).length
    expect(several / flat.units.length).toBeGreaterThan(0.3)
    expect(shareOf((device) => device.device_type === 'door')).toBeGreaterThan(0.1)
    expect(shareOf((device) => device.device_type === 'temperature_door')).toBeGreaterThan(0.05)
    expect(shareOf((device) => device.device_type === 'temperature_humidity')).toBeGreaterThan(0.05)
  })

  it('has a few devices that connect by themselves, all others a hub', () => {
    expect(shareOf(({ connects }) => connects)).toBeGreaterThan(0.003)
    expect(shareOf(({ connects }) => connects)).toBeLessThan(0.03)
    expect(flat.devices.every(({ device }) => device.connects === !device.hub)).toBe(true)
  })

  it('has DevEUIs of several makers, spread over their ranges', () => {
    const euis = flat.devices.map(({ device }) => device.device_eui)
    expect(new Set(euis.map((eui) => eui.slice(0, 6)))).toEqual(new Set(['24e124', 'a84041', 'a81758']))
    expect(new Set(euis.map((eui) => eui.slice(-2))).size).toBe(256)
  })

  it('has presets among its rules', () => {
    expect(json.alert_rules.filter(({ condition }) => 'preset' in condition).length).toBeGreaterThan(3)
  })

  it('is the same for the same seed, and of other devices for another', () => {
    expect(generate(200, 20)).toEqual(json)
    const euis = (seed: number) =>
      readFleetPlan(generate(200, 20, seed)).units.flatMap(({ devices }) =>
        devices.map(({ devEui }) => devEui),
      )
    expect(new Set(euis(1)).isDisjointFrom(new Set(euis(2)))).toBe(true)
  })
})

test('a share of its sensors is reached through two network servers, the others stay as they are', () => {
  const numbers = { hubs: 20, sensorsPerHub: 20, intervalSeconds: 10, seed: 1 }
  const without = readFleetPlan(generateFleet(numbers)).units.flatMap((unit) => unit.devices)
  const withLora = readFleetPlan(generateFleet({ ...numbers, loraPercent: 10 })).units.flatMap(
    (unit) => unit.devices,
  )
  const servers = withLora.map(({ hub }) => hub).filter((hub) => hub?.startsWith('ns:'))
  expect(new Set(servers)).toEqual(new Set(['ns:simulated-network-1', 'ns:simulated-network-2']))
  expect(servers.length).toBeGreaterThan(20)
  expect(servers.length).toBeLessThan(80)
  const hubOf = new Map(without.map(({ devEui, hub }) => [devEui, hub]))
  expect(withLora).toHaveLength(400)
  for (const { devEui, hub } of withLora) if (!hub?.startsWith('ns:')) expect(hub).toBe(hubOf.get(devEui))
})

test('it is applied to a database as it is', async () => {
  const fixture = await openFleetFixture()
  try {
    const fleet = generateFleet({
      hubs: 30,
      sensorsPerHub: 20,
      intervalSeconds: 10,
      loraPercent: 10,
      seed: 4,
      organization: 'other',
    })
    const report = await fixture.apply(fleet)
    expect(report.counts.device.created).toBe(600)
    expect(Object.keys((await fixture.credentials()).hubs)).toHaveLength(30)
    const again = await fixture.apply(fleet)
    expect(again.counts.device).toMatchObject({ created: 0, updated: 0, unchanged: 600 })
  } finally {
    await fixture.close()
  }
})

test('the demo fleet can be planned too', async () => {
  const json: unknown = JSON.parse(await readFile(new URL('./demo.json', import.meta.url), 'utf8'))
  const plan = readFleetPlan(json)
  expect(plan.hubs).toEqual(['hub-berlin-1', 'hub-berlin-2', 'hub-lisboa-1'])
  const devices = plan.units.flatMap((unit) => unit.devices.map((device) => ({ unit: unit.id, ...device })))
  expect(devices).toHaveLength(13)
  expect(devices).toContainEqual({
    unit: 'Lisboa Baixa/Pharmacy/Vaccine freezer',
    devEui: '24e1240000000107',
    deviceType: 'temperature',
    intervalSeconds: 600,
    hub: undefined,
  })
  expect(devices).toContainEqual({
    unit: 'Berlin Mitte/Kitchen/Walk-in cooler',
    devEui: 'a840410001180f3e',
    deviceType: 'door',
    intervalSeconds: 300,
    hub: 'hub-berlin-1',
  })
  expect(devices).toContainEqual({
    unit: 'Lisboa Baixa/Cold store/Fish cooler',
    devEui: 'a84041c2d1840001',
    deviceType: 'temperature',
    intervalSeconds: 600,
    hub: 'ns:chirpstack-1',
  })
})

test.each([
  { hubs: 0, sensorsPerHub: 1, intervalSeconds: 10 },
  { hubs: 1, sensorsPerHub: 1.5, intervalSeconds: 10 },
  { hubs: 1, sensorsPerHub: 1, intervalSeconds: Number.NaN },
])('%j is refused', (counts) => {
  expect(() => generateFleet({ ...counts, seed: 1 })).toThrow('give a whole number from 1')
})
