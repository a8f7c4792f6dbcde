/** docs/protocol.md, "Readings message": shapes, fields and times. */
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { publish } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SELF_DEVICE } from './testing/fleet.ts'
import { readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const TOPIC = `v1/hubs/${NORTH_HUB}/readings`
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

let service: TestService
let hub: MqttClient
let devices = 0
/** A device that no other test uses. */
let device: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  hub = await service.connect(NORTH_HUB)
  device = northDevice(devices++ % 110)
})
afterEach(closeAll)
afterAll(() => service.close())

/** Publishes, and returns what is stored of the device at the moment of the PUBACK. */
async function stored(payload: unknown, ofDevice = device) {
  await publish(hub, TOPIC, payload)
  return readingsOf(service, ofDevice)
}

describe('shapes', () => {
  test('a readings message, as documented: at the moment of the PUBACK it is committed', async () => {
    const message = {
      boot: 'a1b2',
      seq: 4711,
      sent_at: '2025-11-20T10:15:02.120Z',
      readings: [
        { device, at: 1763632500000, temperature: 3.42, humidity: 51.2, battery: 88, rssi: -91, snr: 7.5 },
      ],
    }
    expect(await stored(message)).toEqual([
      {
        atMs: 1763632500000,
        receivedAtMs: expect.any(Number),
        temperature: 3.42,
        humidity: 51.2,
        battery: 88,
        rssi: -91,
        snr: 7.5,
        fault: null,
        source: 'hub',
        unit: 'Cooler',
      },
    ])
  })

  test('boot, seq and sent_at are optional', async () => {
    expect(await stored({ readings: [{ device, at: nextTime(), temperature: 1 }] })).toHaveLength(1)
  })

  test('a bare array is accepted too', async () => {
    const readings = [1, 2, 3].map((temperature) => ({ device, at: nextTime(), temperature }))
    expect((await stored(readings)).map((row) => row.temperature)).toEqual([1, 2, 3])
  })

  test('a single reading object is accepted too', async () => {
    expect(await stored({ device, at: nextTime(), temperature: 4.5 })).toMatchObject([{ temperature: 4.5 }])
  })

  test('a single reading object may carry boot, seq and sent_at', async () => {
    const reading = { device, at: nextTime(), temperature: 4.5, boot: 'b', seq: 1, sent_at: nextTime() }
    expect(await stored(reading)).toHaveLength(1)
  })

  test('a message has up to 1,000 readings', async () => {
    const readings = Array.from({ length: 1_000 }, () => ({ device, at: nextTime(), temperature: 4 }))
    expect(await stored({ readings })).toHaveLength(1_000)
  })

  test('one reading of a device itself, without device', async () => {
    const client = await service.connect(`device:${SELF_DEVICE}`)
    const at = nextTime()
    await publish(client, `v1/devices/${SELF_DEVICE}/readings`, { at, temperature: -18.5 })
    expect(await readingsOf(service, SELF_DEVICE)).toMatchObject([
      { atMs: at, temperature: -18.5, source: 'device', unit: 'Cooler' },
    ])
  })

  test('a device itself may send several of them', async () => {
    const client = await service.connect(`device:${SELF_DEVICE}`)
    const before = await readingsOf(service, SELF_DEVICE)
    const readings = [
      { at: nextTime(), temperature: 1 },
      { device: SELF_DEVICE, at: nextTime(), battery: 9 },
    ]
    await publish(client, `v1/devices/${SELF_DEVICE}/readings`, { readings })
    expect(await readingsOf(service, SELF_DEVICE)).toHaveLength(before.length + 2)
  })

  test('one byte order mark at the start is stripped', async () => {
    expect(await stored(`\ufeff{"device":"${device}","temperature":1}`)).toHaveLength(1)
  })
})

describe('device: DevEUI, 16 hex digits', () => {
  test.each([
    ['any case', (eui: string) => eui.toUpperCase()],
    ['":" between bytes', (eui: string) => eui.replace(/..(?=.)/g, '$&:')],
    ['"-" between bytes', (eui: string) => eui.toUpperCase().replace(/..(?=.)/g, '$&-')],
  ])('%s', async (_words, write) => {
    expect(await stored({ device: write(device), at: nextTime(), temperature: 1 })).toHaveLength(1)
  })

  test.each([
    ['absent: it is required from a hub', undefined],
    ['null', null],
    ['15 digits', '24e124136b502f4'],
    ['17 digits', '24e124136b502f4aa'],
    ['other letters', '24e124136b502fzz'],
    ['a mixture of separators', '24:e1-24:13:6b:50:2f:4a'],
    ['a number', 24],
  ])('%s rejects that reading', async (_words, bad) => {
    await rejectsAlone({ device: bad, at: nextTime(), temperature: 1 }, 'device')
  })
})

describe('fields', () => {
  test.each([
    ['temperature', -100, 200, '°C'],
    ['humidity', 0, 100, '%'],
    ['battery', 0, 100, '%'],
    ['rssi', -200, 20, 'dBm'],
    ['snr', -50, 50, 'dB'],
  ])('%s from %d to %d, both included', async (field, min, max, unit) => {
    const base = { device, battery: 50 }
    const rows = await stored([
      { ...base, at: nextTime(), [field]: min },
      { ...base, at: nextTime(), [field]: max },
    ])
    expect(rows.map((row) => row[field as 'temperature'])).toEqual([min, max])
    for (const bad of [min - 0.1, max + 0.1, `${min}`, true, [min]]) {
      const reject = await rejectsAlone({ ...base, at: nextTime(), [field]: bad }, field)
      expect(reject.detail).toContain(unit)
    }
  })

  test.each(['no_probe', 'probe_short', 'out_of_range', 'stuck', 'other'])('fault: %s', async (fault) => {
    expect(await stored({ device, at: nextTime(), fault })).toMatchObject([{ fault, temperature: null }])
  })

  test('another fault rejects that reading', async () => {
    await rejectsAlone({ device, at: nextTime(), fault: 'broken' }, 'fault')
  })

  test.each(['temperature', 'humidity', 'battery'])('%s alone is enough', async (field) => {
    expect(await stored({ device, at: nextTime(), [field]: 7 })).toMatchObject([{ [field]: 7 }])
  })

  test('at least one of temperature, humidity, battery, fault', async () => {
    await rejectsAlone({ device, at: nextTime() }, 'temperature, humidity, battery, fault')
    await rejectsAlone({ device, at: nextTime(), rssi: -80, snr: 5 }, 'temperature, humidity, battery, fault')
  })

  test('unknown extra fields are ignored', async () => {
    const extra = { color: 'blue', nested: { deep: [1, { deeper: null }] }, Temperature: 99 }
    expect(await stored({ device, at: nextTime(), temperature: 1, ...extra })).toMatchObject([
      { temperature: 1 },
    ])
  })

  test('null means absent', async () => {
    const nothing = { humidity: null, battery: null, rssi: null, snr: null, fault: null, at: null }
    expect(await stored({ device, temperature: 1, ...nothing, boot: null, seq: null })).toMatchObject([
      {
        temperature: 1,
        humidity: null,
        battery: null,
        rssi: null,
        snr: null,
        fault: null,
        source: 'arrival',
      },
    ])
    await rejectsAlone({ device, ...nothing, temperature: null }, 'at least one of')
  })

  test.each(['NaN', 'Infinity', '-Infinity', '"3.4"', '1e400', '201'])(
    '%s rejects that reading, not the message',
    async (bad) => {
      const payload = `{"readings":[{"device":"${device}","at":${nextTime()},"temperature":${bad}},
        {"device":"${device}","at":${nextTime()},"temperature":5}]}`
      const rejects = await rejectsOf(service, () => publish(hub, TOPIC, payload))
      expect(rejects).toMatchObject([{ reason: 'invalid', item: 0, device }])
      expect(rejects[0]?.detail).toContain('readings[0].temperature')
      expect(await readingsOf(service, device)).toMatchObject([{ temperature: 5 }])
    },
  )

  test('the word NaN within a string is just text', async () => {
    expect(await stored(`{"device":"${device}","temperature":1,"note":"NaN, \\"Infinity\\""}`)).toHaveLength(
      1,
    )
  })

  test('battery and rssi are stored rounded to whole numbers, halves up', async () => {
    expect(await stored({ device, at: nextTime(), battery: 87.5, rssi: -90.5 })).toMatchObject([
      { battery: 88, rssi: -90 },
    ])
  })

  test('of duplicate keys the last wins', async () => {
    expect(await stored(`{"device":"${device}","temperature":1,"temperature":2}`)).toMatchObject([
      { temperature: 2 },
    ])
  })
})

describe('if one of boot, seq and sent_at is bad it is ignored and noted; the readings stay', () => {
  test.each([
    ['boot', ''],
    ['boot', 'x'.repeat(65)],
    ['boot', 7],
    ['seq', -1],
    ['seq', 1.5],
    ['seq', '1'],
    ['sent_at', 'yesterday'],
    ['sent_at', 1_763_632_500],
    ['sent_at', true],
  ])('%s: %j', async (field, bad) => {
    const noted = await service.metric('frostguard_fields_ignored_total')
    const readings = [{ device, at: nextTime(), temperature: 1 }]
    const message = { boot: 'b', seq: 1, sent_at: nextTime(), readings, [field]: bad }
    const rejects = await rejectsOf(service, async () => expect(await stored(message)).toHaveLength(1))
    expect(rejects).toEqual([])
    expect(await service.metric('frostguard_fields_ignored_total')).toBe(noted + 1)
  })

  test('boot has 1 to 64 characters, seq is 0 or more', async () => {
    const noted = await service.metric('frostguard_fields_ignored_total')
    for (const [boot, seq] of [
      ['b', 0],
      ['x'.repeat(64), Number.MAX_SAFE_INTEGER],
    ]) {
      await publish(hub, TOPIC, { boot, seq, readings: [{ device, at: nextTime(), temperature: 1 }] })
    }
    expect(await service.metric('frostguard_fields_ignored_total')).toBe(noted)
  })
})

describe('at', () => {
  const noon = Date.UTC(2025, 10, 20, 12)
  test.each([
    ['epoch milliseconds', noon, noon],
    ['epoch milliseconds with a fraction, which is cut', noon + 0.9, noon],
    ['RFC 3339 in UTC', '2025-11-20T12:00:00Z', noon],
    ['RFC 3339 with an offset', '2025-11-20T17:30:00.25+05:30', noon + 250],
    ['RFC 3339 in lower case', '2025-11-20t12:00:00z', noon],
    ['microseconds, which are cut', '2025-11-20T12:00:00.123999Z', noon + 123],
    ['a leap second', '2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1)],
  ])('%s', async (_words, at, expected) => {
    expect(await stored({ device, at, temperature: 1 })).toMatchObject([{ atMs: expected, source: 'hub' }])
  })

  test.each([
    ['RFC 3339 without offset', '2025-11-20T12:00:00'],
    ['a date alone', '2025-11-20'],
    ['a date that the calendar does not have', '2025-02-30T12:00:00Z'],
    ['24:00', '2025-11-20T24:00:00Z'],
    ['digits in a string', '1763632500000'],
    ['a boolean', true],
  ])('%s rejects that reading', async (_words, at) => {
    await rejectsAlone({ device, at, temperature: 1 }, 'at')
  })

  test('absent: the time of arrival, and source says so', async () => {
    const before = Date.now()
    const [row] = await stored({ device, temperature: 1 })
    expect(row?.source).toBe('arrival')
    expect(row?.atMs).toBe(row?.receivedAtMs)
    expect(row?.atMs).toBeGreaterThanOrEqual(before)
    expect(row?.atMs).toBeLessThanOrEqual(Date.now())
  })

  test('readings without at cannot be told from resends: each is stored', async () => {
    const message = {
      readings: [
        { device, temperature: 1 },
        { device, temperature: 1 },
      ],
    }
    await publish(hub, TOPIC, message)
    expect(await stored(message)).toHaveLength(4)
  })

  test('up to 24 h in the future is accepted', async () => {
    expect(await stored({ device, at: Date.now() + DAY_MS - MINUTE_MS, temperature: 1 })).toHaveLength(1)
  })

  test('more than 24 h in the future is rejected with reason clock', async () => {
    await rejectsAlone({ device, at: Date.now() + DAY_MS + MINUTE_MS, temperature: 1 }, 'at', 'clock')
  })

  test('from 2015 on anything is accepted, however old', async () => {
    const start = Date.UTC(2015, 0, 1)
    const old = [start, Date.UTC(2017, 5, 1), Date.UTC(2021, 1, 28)]
    const rows = await stored(old.map((at) => ({ device, at, temperature: 1 })))
    expect(rows.map((row) => row.atMs)).toEqual(old)
  })

  test.each([
    ['before 2015', Date.UTC(2015, 0, 1) - 1],
    ['before 2015, as RFC 3339', '2014-12-31T23:59:59.999Z'],
    ['1970', 0],
  ])('%s is rejected with reason clock', async (_words, at) => {
    await rejectsAlone({ device, at, temperature: 1 }, 'at', 'clock')
  })

  test.each([
    ['seconds', (nowMs: number) => Math.round(nowMs / 1e3)],
    ['microseconds', (nowMs: number) => nowMs * 1e3],
    ['nanoseconds', (nowMs: number) => nowMs * 1e6],
  ])('the detail says so when it looks like %s', async (unit, write) => {
    const reject = await rejectsAlone({ device, at: write(Date.now()), temperature: 1 }, 'at', 'clock')
    expect(reject.detail).toContain(unit)
  })
})

/** Publishes a bad reading between two good ones: it is rejected alone, and the detail has the path of the field. */
async function rejectsAlone(bad: unknown, named: string, reason = 'invalid') {
  const good = () => ({ device, at: nextTime(), temperature: 1 })
  const before = (await readingsOf(service, device)).length
  const rejects = await rejectsOf(service, () => publish(hub, TOPIC, { readings: [good(), bad, good()] }))
  expect(rejects).toHaveLength(1)
  const [reject] = rejects
  if (!reject) throw new Error('no reject')
  expect(reject).toMatchObject({ reason, item: 1, client: NORTH_HUB, topic: TOPIC })
  expect(reject.detail).toContain(/^[a-z_]+$/.test(named) ? `readings[1].${named}: expected` : named)
  expect(await readingsOf(service, device)).toHaveLength(before + 2)
  return reject
}
