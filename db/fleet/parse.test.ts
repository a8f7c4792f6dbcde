import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { flattenFleet } from './flatten.ts'
import { FleetError } from './fleet-error.ts'
import { parseFleet, readFleet } from './parse.ts'
import { PRESETS } from './presets.ts'
import { changed, exampleFleet } from './testing/example-fleet.ts'

const UNIT = 'sites[0].areas[0].units[0]'
const DEVICE = `${UNIT}.devices[0]`
const RULE = 'alert_rules[0]'

const parse = (fleet: unknown) => parseFleet(JSON.stringify(fleet), 'fleet.json')

function complaint(fleet: unknown): string {
  try {
    parse(fleet)
  } catch (error) {
    if (error instanceof FleetError) return error.message
    throw error
  }
  return 'no error'
}

describe('a fleet file', () => {
  it('reads the documented example, with the defaults of its conditions', () => {
    const { rules } = flattenFleet(parse(exampleFleet()))
    expect(rules[0]?.rule).toMatchObject({
      name: 'Cooler too warm',
      conditionType: 'temperature_above',
      alertType: 'alarm_active',
      condition: { limit: 5, for_seconds: 600, hysteresis: 0.5, inclusive: false },
      preset: null,
    })
  })

  it('reads the demo fleet', async () => {
    const fleet = await readFleet('simulators/fleets/demo.json')
    expect(fleet.organization.slug).toBe('demo')
    expect(fleet.sites).toHaveLength(2)
  })

  it.each(['24E124136B502F4A', '24:e1:24:13:6b:50:2f:4a', '24-E1-24-13-6B-50-2F-4A'])(
    'takes the DevEUI %s',
    (text) => {
      const { devices } = flattenFleet(parse(changed(exampleFleet(), { [`${DEVICE}.device_eui`]: text })))
      expect(devices[0]?.device.device_eui).toBe('24e124136b502f4a')
    },
  )

  it('writes MAC addresses as PostgreSQL does', () => {
    const fleet = changed(exampleFleet(), { 'sites[0].hubs[0].mac_address': '02-00-5E-00-AA-01' })
    expect(parse(fleet).sites[0]?.hubs[0]?.mac_address).toBe('02:00:5e:00:aa:01')
  })

  it.each([
    [{ 'organization.slug': 'Demo!' }, 'organization.slug: must have 1 to 64 lower-case letters'],
    [{ 'organization.timezone': 'Europe/Nowhere' }, 'organization.timezone: must be an IANA time zone'],
    [{ 'organization.timezone': '+02:00' }, 'organization.timezone: must be an IANA time zone'],
    [{ 'organization.sensor_limit': -1 }, 'organization.sensor_limit: must not be negative, not -1'],
    [{ organization: undefined }, 'organization: is missing'],
    [{ 'sites[0].name': undefined }, 'sites[0].name: is missing'],
    [{ 'sites[0].name': ' x' }, 'sites[0].name: must not begin or end with a space'],
    [{ 'sites[0].name': 'a\u0000b' }, 'sites[0].name: must not contain control characters'],
    [{ 'sites[0].latitude': 91 }, 'sites[0].latitude: must be -90 to 90'],
    [{ 'sites[0].country': 'Germany' }, 'sites[0].country: must be two capital letters'],
    [{ 'sites[0].hub': [] }, 'sites[0]: unknown field "hub"; known are name, street'],
    [{ 'sites[0].hubs[0].key': 'Hub_1' }, 'sites[0].hubs[0].key: must have 1 to 64'],
    [{ 'sites[0].hubs[0].mac_address': '02:00' }, 'sites[0].hubs[0].mac_address: must have 12 hex digits'],
    [{ [`${UNIT}.unit_type`]: 'oven' }, `${UNIT}.unit_type: must be one of fridge, freezer`],
    [{ [`${UNIT}.temp_max`]: '5' }, `${UNIT}.temp_max: must be a number, not "5"`],
    [{ [`${UNIT}.temp_max`]: 0 }, `${UNIT}.temp_max: must be more than temp_min`],
    [{ [`${UNIT}.temp_max`]: 4.005 }, `${UNIT}.temp_max: must have at most 2 decimals, not 4.005`],
    [{ [`${UNIT}.temp_min`]: -101 }, `${UNIT}.temp_min: must be at least -100 °C`],
    [{ [`${DEVICE}.device_eui`]: '24e1' }, `${DEVICE}.device_eui: must have 16 hex digits`],
    [{ [`${DEVICE}.device_eui`]: '24:e1-24:13:6b:50:2f:4a' }, `${DEVICE}.device_eui: must have 16 hex`],
    [
      { [`${DEVICE}.reporting_interval_seconds`]: 0 },
      `${DEVICE}.reporting_interval_seconds: must be a whole`,
    ],
    [{ [`${DEVICE}.lora`]: { join_eui: 'x' } }, `${DEVICE}.lora.join_eui: must have 16 hex digits`],
    [{ [`${DEVICE}.lora`]: { activation: 'x' } }, `${DEVICE}.lora.activation: must be one of otaa, abp`],
    [{ 'contacts[0].email': 'oncall' }, 'contacts[0].email: must be an e-mail address, not "oncall"'],
    [{ 'contacts[0].email': undefined }, 'contacts[0]: needs an email or a phone'],
    [
      { 'contacts[0].channels': ['sms'] },
      'contacts[0].channels: includes "sms", but the contact has no phone',
    ],
    [{ 'contacts[0].channels': ['fax'] }, 'contacts[0].channels[0]: must be one of push, email, sms'],
    [{ 'contacts[0].level': 0 }, 'contacts[0].level: must be 1'],
    [{ [`${RULE}.severity`]: 'fatal' }, `${RULE}.severity: must be one of info, warning, critical`],
    [{ [`${RULE}.scope`]: { unit: 'x' } }, `${RULE}.scope.site: is missing`],
    [{ [`${RULE}.scope`]: { site: 'a', area: 'b' } }, `${RULE}.scope.area: only tells apart units`],
    [
      { [`${RULE}.schedule`]: { windows: [{ from: '8:00', to: '9:00' }] } },
      `windows[0].from: must be a time`,
    ],
    [{ [`${RULE}.schedule`]: { windows: [{ from: '08:00', to: '08:00' }] } }, `windows[0].to: must differ`],
  ])('refuses %j', (changes, message) => {
    expect(complaint(changed(exampleFleet(), changes))).toContain(message)
  })

  it.each<[Record<string, unknown>, string]>([
    [{ type: 'too_hot' }, 'condition.type: must be one of temperature_above, temperature_below'],
    [{ preset: 'my-fridge' }, 'condition.preset: must be one of who-vaccine-fridge, cdc-vaccine-fridge'],
    [{ preset: 'frozen', limit: 3 }, 'condition: unknown field "limit"; known are preset'],
    [{ type: 'temperature_above' }, 'condition.limit: is missing'],
    [{ type: 'temperature_above', limit: 5, for: 3 }, 'condition: unknown field "for"'],
    [{ type: 'temperature_above', limit: 5, hysteresis: -1 }, 'condition.hysteresis: must not be negative'],
    [
      { type: 'temperature_n_of_m', direction: 'above', limit: 5, n: 4, m: 3 },
      'condition.n: must not be more',
    ],
    [
      { type: 'temperature_cumulative', direction: 'up', limit: 5, total_seconds: 1, window_seconds: 2 },
      'condition.direction: must be one of above, below',
    ],
    [
      { type: 'temperature_cumulative', direction: 'above', limit: 5, total_seconds: 3, window_seconds: 2 },
      'condition.total_seconds: must not be more than window_seconds',
    ],
    [
      { type: 'rate_of_change', direction: 'rising', window_seconds: 900 },
      'condition.delta: must be given once',
    ],
    [{ type: 'sensor_fault', kind: 'dead' }, 'condition.kind: must be one of stuck, jump, fault'],
    [{ type: 'sensor_fault', kind: 'jump' }, 'condition.max_step: is missing'],
    [{ type: 'battery_below', limit: 101 }, 'condition.limit: must be 1 to 100 %'],
    [{ type: 'manual_log_overdue' }, 'condition.after_seconds: is missing'],
    [{ type: 'calibration_due', days_ahead: 1.5 }, 'condition.days_ahead: must be a whole number'],
  ])('refuses the condition %j', (condition, message) => {
    expect(complaint(changed(exampleFleet(), { [`${RULE}.condition`]: condition }))).toContain(
      `${RULE}.${message}`,
    )
  })

  it.each<[Record<string, unknown>, string, Record<string, unknown>]>([
    [{ type: 'no_data' }, 'monitoring_interrupted', { missed: 5 }],
    [{ type: 'door_open' }, 'door_open', { for_seconds: 300 }],
    [{ type: 'battery_below' }, 'low_battery', { limit: 20 }],
    [
      { type: 'sensor_fault', kind: 'stuck' },
      'sensor_fault',
      { kind: 'stuck', for_seconds: 7_200, min_readings: 6 },
    ],
    [{ type: 'sensor_fault', kind: 'fault' }, 'sensor_fault', { kind: 'fault', for_seconds: 600 }],
    [
      { type: 'temperature_below', limit: 2 },
      'alarm_active',
      { limit: 2, hysteresis: 0.5, inclusive: false },
    ],
    [
      { type: 'rate_of_change', direction: 'rising', limit: 2.5, window_seconds: 900 },
      'alarm_active',
      { direction: 'rising', delta: 2.5, window_seconds: 900 },
    ],
    [{ type: 'manual_log_overdue', after_seconds: 60 }, 'missed_manual_entry', { after_seconds: 60 }],
    [{ type: 'calibration_due', days_ahead: 30 }, 'calibration_due', { days_ahead: 30 }],
  ])('fills in the defaults of %j', (given, alertType, condition) => {
    const { rules } = flattenFleet(parse(changed(exampleFleet(), { [`${RULE}.condition`]: given })))
    expect(rules[0]?.rule).toMatchObject({ alertType, conditionType: given['type'] })
    expect(rules[0]?.rule.condition).toEqual(condition)
  })

  it('lists everything that is wrong, and counts what it leaves out', () => {
    const bad = changed(exampleFleet(), { contacts: Array.from({ length: 60 }, () => ({})) })
    const message = complaint(bad)
    expect(message).toMatch(/^fleet\.json has \d+ errors, nothing was changed:/)
    expect(message.split('\n')).toHaveLength(52)
    expect(message).toMatch(/and \d+ more$/)
  })

  it('says why a file cannot be read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'frostguard-parse-'))
    const path = join(folder, 'fleet.json')
    await expect(readFleet(path)).rejects.toThrow(`${path} cannot be read: there is no such file`)
    await expect(readFleet(folder)).rejects.toThrow('it is a folder')
    await writeFile(path, '{"organization": ')
    await expect(readFleet(path)).rejects.toThrow(`${path} is not JSON`)
    await writeFile(path, Buffer.from([0x22, 0xff, 0x22]))
    await expect(readFleet(path)).rejects.toThrow('it is not UTF-8')
    await rm(folder, { recursive: true })
  })
})

describe('presets', () => {
  it.each(Object.entries(PRESETS))(
    '%s expands to one rule per condition',
    (preset, { version, conditions }) => {
      const fleet = changed(exampleFleet(), {
        [`${RULE}.condition`]: { preset },
        [`${RULE}.severity`]: 'info',
      })
      const rules = flattenFleet(parse(fleet)).rules.map(({ rule }) => rule)
      expect(rules.map(({ name, conditionType }) => [name, conditionType])).toEqual(
        conditions.map(({ type }) => ['Cooler too warm', type]),
      )
      expect(new Set(rules.map(({ conditionType }) => conditionType)).size).toBe(conditions.length)
      for (const rule of rules)
        expect(rule).toMatchObject({ preset, presetVersion: version, severity: 'info' })
    },
  )

  it('has the limits of the WHO', () => {
    const fleet = changed(exampleFleet(), { [`${RULE}.condition`]: { preset: 'who-vaccine-fridge' } })
    expect(flattenFleet(parse(fleet)).rules.map(({ rule }) => rule.condition)).toEqual([
      { limit: 8, for_seconds: 36_000, hysteresis: 0, inclusive: false },
      { limit: -0.5, for_seconds: 3_600, hysteresis: 0, inclusive: true },
    ])
  })
})
