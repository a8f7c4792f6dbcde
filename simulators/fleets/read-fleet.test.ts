import { describe, expect, it } from 'vitest'
import { readCredentials, readFleetPlan } from './read-fleet.ts'

const device = (fields: Record<string, unknown> = {}) => ({
  device_eui: '24e1240000000001',
  hub: 'hub-1',
  ...fields,
})

const fleet = (devices: unknown[], unit: Record<string, unknown> = {}) => ({
  organization: { slug: 'demo', name: 'Demo' },
  sites: [
    {
      name: 'Site',
      hubs: [{ key: 'hub-1' }],
      areas: [{ name: 'Area', units: [{ name: 'Unit', unit_type: 'fridge', devices, ...unit }] }],
    },
  ],
})

const plannedDevice = (fields: Record<string, unknown>) =>
  readFleetPlan(fleet([device(fields)])).units[0]?.devices[0]

describe('readFleetPlan', () => {
  it('takes the defaults of a fleet file', () => {
    expect(readFleetPlan(fleet([device({ device_type: null, reporting_interval_seconds: null })]))).toEqual({
      organization: 'demo',
      hubs: ['hub-1'],
      units: [
        {
          id: 'Site/Area/Unit',
          unitType: 'fridge',
          tempMin: null,
          tempMax: null,
          devices: [
            {
              devEui: '24e1240000000001',
              deviceType: 'temperature',
              intervalSeconds: 300,
              hub: 'hub-1',
            },
          ],
        },
      ],
    })
  })

  it('reads a DevEUI in each of its forms', () => {
    expect(plannedDevice({ device_eui: '24:E1:24:00:00:00:00:0A' })?.devEui).toBe('24e124000000000a')
  })

  it('lets a device with a log-in of its own publish by itself, with or without a hub', () => {
    expect(plannedDevice({ connects: true })?.hub).toBeUndefined()
    expect(plannedDevice({ connects: true, hub: null })?.hub).toBeUndefined()
    expect(plannedDevice({ connects: false })?.hub).toBe('hub-1')
  })

  it('leaves out devices that nothing publishes for', () => {
    expect(readFleetPlan(fleet([device({ hub: null })])).units[0]?.devices).toEqual([])
  })

  it('lets a network server publish for a sensor that has one, and no hub', () => {
    const lora = { network_server: 'chirpstack-1' }
    expect(plannedDevice({ hub: null, lora })?.hub).toBe('ns:chirpstack-1')
    expect(plannedDevice({ lora })?.hub).toBe('hub-1')
    expect(plannedDevice({ hub: null, lora: {} })).toBeUndefined()
  })

  it('takes a fleet without sites', () => {
    expect(readFleetPlan({ organization: { slug: 'demo' } })).toEqual({
      organization: 'demo',
      units: [],
      hubs: [],
    })
  })

  it.each([
    [null, 'at the top'],
    [{}, 'at organization'],
    [fleet([device({ device_eui: 5 })]), 'at sites.0.areas.0.units.0.devices.0.device_eui'],
    [fleet([device({ reporting_interval_seconds: 0 })]), 'reporting_interval_seconds'],
    [fleet([], { temp_max: '5' }), 'at sites.0.areas.0.units.0.temp_max'],
  ])('refuses what is not a fleet file, and says where: %#', (json, where) => {
    expect(() => readFleetPlan(json)).toThrow(/^The fleet file cannot be used, at /)
    expect(() => readFleetPlan(json)).toThrow(where)
  })
})

describe('readCredentials', () => {
  it('has the passwords by publisher', () => {
    const json = {
      hubs: { 'hub-1': 'a' },
      devices: { '24e1240000000001': 'b' },
      network_servers: { 'chirpstack-1': 'd' },
      operator: 'c',
    }
    expect(readCredentials(json)).toEqual(
      new Map([
        ['hub-1', 'a'],
        ['ns:chirpstack-1', 'd'],
        ['device:24e1240000000001', 'b'],
      ]),
    )
    expect(readCredentials({})).toEqual(new Map())
  })

  it('does not repeat a secret when it refuses a file', () => {
    const refuse = () => readCredentials({ hubs: { 'hub-1': ['hunter2'] } })
    expect(refuse).toThrow(/^The credentials file cannot be used, at hubs\.hub-1/)
    expect(refuse).not.toThrow('hunter2')
  })
})
