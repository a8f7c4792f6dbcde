/** The published schemas and the decoders must say the same of a message. */
import { describe, expect, test } from 'vitest'
import { decodeDoors } from '../decode/doors.ts'
import { decodeReadings } from '../decode/readings.ts'
import { decodeStatus } from '../decode/status.ts'
import { matches } from './json-schema-check.ts'
import { publishedSchemas } from './schemas.ts'

const schemas = publishedSchemas()
const DEVICE = '24e124136b502f4a'
const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)
const hub = { receivedAtMs: NOW_MS }
const device = { receivedAtMs: NOW_MS, impliedDevEui: DEVICE }

const reading = { device: DEVICE, at: NOW_MS, temperature: 4 }
const event = { device: DEVICE, at: NOW_MS, state: 'open' }
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

const BAD_VALUES = ['x', '', true, [], {}, -1e6, 1e6]
const READING_FIELDS = ['device', 'at', 'temperature', 'humidity', 'battery', 'rssi', 'snr', 'fault']

const readings: unknown[] = [
  null,
  'x',
  12,
  {},
  [],
  [reading],
  reading,
  { readings: [] },
  { readings: 'x' },
  { readings: [reading], boot: 'a', seq: 1, sent_at: NOW_MS, more: true },
  { readings: Array.from({ length: 1_000 }, () => reading) },
  { readings: Array.from({ length: 1_001 }, () => reading) },
  [reading, 5],
  { temperature: 4 },
  { device: DEVICE.toUpperCase(), fault: 'stuck' },
  { device: '24-e1-24-13-6b-50-2f-4a', humidity: 0 },
  { device: DEVICE, rssi: -90 },
  { device: DEVICE, temperature: null, battery: null },
  { device: DEVICE, temperature: null, battery: 5 },
  ...READING_FIELDS.flatMap((field) => BAD_VALUES.map((value) => ({ ...reading, [field]: value }))),
]
const doors: unknown[] = [
  event,
  [event],
  { events: [event] },
  { events: [] },
  { events: [event, { ...event, state: 'ajar' }] },
  { device: DEVICE },
  { state: 'closed' },
  ...BAD_VALUES.map((state) => ({ ...event, state })),
]

/** Times are out of a schema's reach: which dates exist, and how far a clock may be off. */
const beyondSchemas = (value: unknown) => JSON.stringify(value)?.match(/"at":("|-?1000000\b)/) !== null

describe.each([
  ['hub-readings', readings, (value: unknown) => decodeReadings(bytes(value), hub)],
  ['device-readings', readings, (value: unknown) => decodeReadings(bytes(value), device)],
  ['hub-doors', doors, (value: unknown) => decodeDoors(bytes(value), hub)],
  ['device-doors', doors, (value: unknown) => decodeDoors(bytes(value), device)],
] as const)('%s', (name, cases, decode) => {
  const comparable = cases.filter((value) => !beyondSchemas(value))

  test('takes what the decoder takes whole, and nothing else', () => {
    const verdicts = comparable.map((value) => ({
      value,
      accepted: decode(value).rejects.length === 0,
    }))
    for (const { value, accepted } of verdicts) {
      expect(matches(schemas[name], value), JSON.stringify(value)?.slice(0, 200)).toBe(accepted)
    }
    expect(new Set(verdicts.map(({ accepted }) => accepted)).size).toBe(2)
  })
})

test.each([
  { state: 'online' },
  { state: 'offline', firmware: null },
  { state: 'ONLINE' },
  {},
  'online',
  null,
])('hub-status says of %j what the decoder says', (value) => {
  expect(matches(schemas['hub-status'], value)).toBe(decodeStatus(bytes(value), hub).ok)
})

test('a rejected answer and a receipt as the server sends them', () => {
  const item = { reason: 'clock', detail: 'at: expected …', device: DEVICE, at: 0, seq: 4711 }
  expect(matches(schemas.rejected, [item, { reason: 'too_large', detail: 'x' }])).toBe(true)
  expect(matches(schemas.rejected, [{ ...item, reason: 'lost' }])).toBe(false)
  expect(matches(schemas.receipt, { boot: 'a1b2', seq: 4711, time: NOW_MS })).toBe(true)
  expect(matches(schemas.receipt, { boot: 'a1b2', seq: 4711, missing: [4709], time: NOW_MS })).toBe(true)
  expect(matches(schemas.receipt, { boot: 'a1b2', time: NOW_MS })).toBe(false)
})

test('messages to operators as the server sends them', () => {
  const UNIT = '01890a5d-ac96-774b-bcce-b302099a8057'
  const alert = {
    ...{
      alert: UNIT,
      transition: 'raised',
      unit: UNIT,
      unit_name: 'Cooler',
      site: UNIT,
      site_name: 'Berlin',
    },
    ...{ hub: null, hub_name: null, device: null, device_name: null },
    ...{ rule: null, rule_name: null, rule_version: 1, type: 'alarm_active', condition: 'temperature_above' },
    ...{ severity: 'critical', status: 'active', started_at: NOW_MS, triggered_at: NOW_MS, ended_at: null },
    ...{ detected_at: NOW_MS, value: 6.4, limit: 5, peak: 6.4, confirmed_seconds: 600, unknown_seconds: 0 },
    ...{ retrospective: false, unproven: false, resolution: null, paged: true, time: NOW_MS },
  }
  expect(matches(schemas.alert, alert)).toBe(true)
  expect(matches(schemas.alert, { ...alert, transition: 'forgotten' })).toBe(false)
  const unit = { unit: UNIT, name: 'Cooler', site: UNIT, site_name: 'Berlin', status: 'ok', temperature: 4.4 }
  const status = { ...unit, last_reading_at: NOW_MS, since: NOW_MS, time: NOW_MS }
  expect(matches(schemas['unit-status'], status)).toBe(true)
  expect(matches(schemas['unit-status'], { ...status, since: null })).toBe(false)
})
