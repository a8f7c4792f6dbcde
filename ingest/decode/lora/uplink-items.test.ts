import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { parseUplink } from './parse-uplink.ts'
import {
  chirpStackUp,
  DEV_EUI,
  decodeFrom,
  NETWORK_AT_MS,
  RECEIVED_AT_MS,
  type TestUplink,
  THINGS_ID,
  thingsStackUp,
} from './testing/uplinks.ts'
import { decodeUplink } from './uplink-items.ts'

const bytes = (message: unknown) => Buffer.from(JSON.stringify(message))
const GOOD: TestUplink = { bytes: '0175', decoded: { temperature: 4 } }

describe('both servers in the same words', () => {
  test('ChirpStack: what is left out is 0', () => {
    const { devAddr, ...event } = chirpStackUp({ ...GOOD, profile: 'Milesight EM300-TH' }) as {
      devAddr: string
    }
    const rxInfo = [{ gatewayId: 'a', rssi: -100 }, { gatewayId: 'b', rssi: -90 }, { snr: -5 }]
    expect(parseUplink('chirpstack', bytes({ ...event, devAddr, rxInfo }))).toMatchObject({
      ok: true,
      uplink: {
        devEui: DEV_EUI,
        deviceId: null,
        makeText: 'milesight em300-th sensor',
        fPort: 0,
        fCnt: 0,
        devAddr: '00189440',
        networkAtMs: NETWORK_AT_MS,
        reception: { rssi: -90, snr: 0 },
        isSimulated: false,
      },
    })
  })

  test('The Things Stack', () => {
    const message = thingsStackUp({ ...GOOD, profile: 'dragino lht65', fPort: 2, fCnt: 9, simulated: true })
    expect(parseUplink('things_stack', bytes(message))).toMatchObject({
      ok: true,
      uplink: {
        devEui: DEV_EUI,
        deviceId: THINGS_ID,
        makeText: 'dragino lht65 dev1',
        fPort: 2,
        fCnt: 9,
        devAddr: '00bcb929',
        bytes: Buffer.from('0175', 'hex'),
        networkAtMs: NETWORK_AT_MS,
        reception: { rssi: -35, snr: 5 },
        isSimulated: true,
      },
    })
  })

  test('The Things Stack: GPS time of a gateway first, its own clock never', () => {
    const message = thingsStackUp(GOOD) as { uplink_message: object }
    const rx_metadata = [{ time: '1970-01-01T00:00:00Z' }, { gps_time: '2026-11-21T08:00:00Z' }]
    const late = { ...message, uplink_message: { ...message.uplink_message, rx_metadata } }
    expect(parseUplink('things_stack', bytes(late))).toMatchObject({
      uplink: { networkAtMs: Date.parse('2026-11-21T08:00:00Z') },
    })
  })

  test('The Things Stack: GPS time that cannot be is passed over', () => {
    const message = thingsStackUp(GOOD) as { uplink_message: object }
    const rx_metadata = [{ gps_time: '1980-01-06T00:00:00Z' }, { gps_time: '2046-07-07T08:00:00Z' }]
    const broken = { ...message, uplink_message: { ...message.uplink_message, rx_metadata } }
    expect(parseUplink('things_stack', bytes(broken))).toMatchObject({
      uplink: { networkAtMs: NETWORK_AT_MS },
    })
  })

  test.each([
    ['chirpstack', 'invalid', `{"deviceInfo":{"devEui":"${DEV_EUI}"},"data":"A"}`],
    ['chirpstack', 'invalid', `{"deviceInfo":{"devEui":"${DEV_EUI}"},"data":"AAAAA==="}`],
    ['chirpstack', 'malformed', 'x'],
    ['chirpstack', 'malformed', '[]'],
    ['chirpstack', 'malformed', '{}'],
    ['chirpstack', 'invalid', '{"deviceInfo":{"devEui":"x"}}'],
    ['chirpstack', 'invalid', `{"deviceInfo":{"devEui":"${DEV_EUI}"},"data":"%%"}`],
    ['things_stack', 'malformed', '{"uplink_message":{}}'],
    ['things_stack', 'malformed', `{"end_device_ids":{"dev_eui":"${DEV_EUI}"}}`],
    ['things_stack', 'invalid', '{"end_device_ids":{},"uplink_message":{}}'],
    [
      'things_stack',
      'invalid',
      `{"end_device_ids":{"dev_eui":"${DEV_EUI}"},"uplink_message":{"frm_payload":1}}`,
    ],
  ] as const)('%s: %s: %s', (server, reason, payload) => {
    const { readings, rejects } = decodeUplink(Buffer.from(payload), {
      server,
      topicDevice: server === 'chirpstack' ? DEV_EUI : THINGS_ID,
      receivedAtMs: RECEIVED_AT_MS,
    })
    expect(readings).toEqual([])
    expect(rejects).toMatchObject([{ item: null, reason }])
    expect(rejects[0]?.detail).toContain('expected')
  })
})

describe('when it was measured', () => {
  const at = (uplink: TestUplink) => {
    const { readings, rejects } = decodeFrom('chirpstack', { ...GOOD, ...uplink })
    return [...readings.map(({ atMs, source }) => [atMs, source]), ...rejects.map(({ reason }) => reason)]
  }
  const seconds = Math.trunc(NETWORK_AT_MS / 1_000) - 3_600

  test.each<[string, TestUplink, unknown[]]>([
    ['the network says', {}, [[NETWORK_AT_MS, 'network']]],
    [
      'the device says',
      { decoded: { temperature: 4, Systimestamp: seconds } },
      [[seconds * 1_000, 'device']],
    ],
    [
      'the device has no clock',
      { decoded: { temperature: 4, Systimestamp: 120 } },
      [[NETWORK_AT_MS, 'network']],
    ],
    ['nobody says', { time: undefined }, [[null, 'arrival']]],
    ['the network server has no clock', { time: '1970-01-01T00:00:05Z' }, [[null, 'arrival']]],
    ['the network server is days ahead', { time: '2026-11-25T00:00:00Z' }, [[null, 'arrival']]],
    [
      'what was kept has its own time',
      { decoded: { history: [{ timestamp: seconds, temperature: 3 }] } },
      [[seconds * 1_000, 'device']],
    ],
    [
      'what was kept has the seconds before its frame',
      {
        decoded: {
          history: {
            now: 'Sat, 21 Nov 2026 10:00:07 GMT',
            12: { timeStamp: 'Sat, 21 Nov 2026 09:00:07 GMT', temperature: { value: 3 } },
          },
        },
      },
      [[NETWORK_AT_MS - 3_600_000, 'device']],
    ],
    [
      'what was kept without a clock',
      { decoded: { history: [{ timestamp: 120, temperature: 3 }] } },
      ['clock'],
    ],
    ['what was kept without a time', { decoded: { history: [{ temperature: 3 }] } }, ['clock']],
    [
      'what was kept counts back from beyond all dates',
      {
        decoded: {
          history: {
            now: { year: -134_900, month: 'January', day: 1, hours: 0, minutes: 0, seconds: 0 },
            1: { timestamp: 4.32e15, temperature: 3 },
          },
        },
      },
      ['clock'],
    ],
    ['a time beyond all dates', { decoded: { history: [{ timestamp: 1e300, temperature: 3 }] } }, ['clock']],
  ])('%s', (_what, uplink, expected) => {
    expect(at(uplink)).toEqual(expected)
  })
})

test('items are numbered through readings, door events and rejects', () => {
  const history = [{ temperature: 3 }, { timestamp: 1_767_225_600, temperature: 3, door: 'closed' }]
  const { readings, doors, rejects } = decodeFrom('chirpstack', {
    ...GOOD,
    decoded: { temperature: 4, door: 'open', history },
  })
  const items = [...readings, ...doors, ...rejects].map(({ item }) => item)
  expect(items.toSorted()).toEqual([0, 1, 2, 3, 4])
})

test('a normalized temperature counts before a decoded one, but not before that of a probe', () => {
  const normalized = [{ air: { temperature: 21, relativeHumidity: 40 } }]
  const temperature = (decoded: object) =>
    decodeFrom('things_stack', { ...GOOD, decoded, normalized }).readings[0]?.temperature
  expect(temperature({ temperature: 210 })).toBe(21)
  expect(temperature({ TempC_SHT: 21, TempC_DS: 4 })).toBe(4)
  expect(temperature({ TempC_SHT: 21, TempC_DS: 327.67 })).toBeNull()
})

describe('normalized payloads beside what a device has kept', () => {
  const seconds = Math.trunc(NETWORK_AT_MS / 1_000) - 3_600
  const history = [{ timestamp: seconds, temperature: 3 }]
  const stored = (uplink: TestUplink) =>
    decodeFrom('things_stack', { ...GOOD, ...uplink }).readings.map(({ atMs, temperature }) => [
      atMs,
      temperature,
    ])
  const normalized = [{ air: { temperature: 21 } }]

  test('the present is the present', () => {
    expect(stored({ decoded: { temperature: 21, history }, normalized })).toEqual([
      [NETWORK_AT_MS, 21],
      [seconds * 1_000, 3],
    ])
  })

  test('what is of the past alone is not said of now', () => {
    expect(stored({ decoded: { history }, normalized })).toEqual([[seconds * 1_000, 3]])
  })

  test('several times in it', () => {
    const times = [NETWORK_AT_MS - 60_000, NETWORK_AT_MS - 30_000]
    const moments = times.map((at, n) => ({ time: new Date(at).toISOString(), air: { temperature: n } }))
    expect(stored({ decoded: { temperature: 4 }, normalized: moments })).toEqual([
      [NETWORK_AT_MS, 4],
      [times[0], 0],
      [times[1], 1],
    ])
    expect(stored({ decoded: null, normalized: moments })).toEqual([
      [times[0], 0],
      [times[1], 1],
    ])
  })

  test('one time in it is that of the decoded fields too', () => {
    const moment = { time: new Date(NETWORK_AT_MS - 60_000).toISOString(), air: { temperature: 3 } }
    expect(stored({ decoded: { temperature: 3, battery: 90 }, normalized: [moment] })).toEqual([
      [NETWORK_AT_MS - 60_000, 3],
    ])
  })
})

test('decoded fields that nobody knows leave it to our own decoder', () => {
  const { readings } = decodeFrom('chirpstack', {
    profile: 'Milesight EM300-TH',
    fPort: 85,
    bytes: '03672C00046817',
    decoded: { payload: '03672C00046817' },
  })
  expect(readings).toMatchObject([{ temperature: 4.4, humidity: 11.5 }])
})

test('more than a message may hold is rejected whole, and none of it is dropped', () => {
  const seconds = Math.trunc(NETWORK_AT_MS / 1_000)
  const kept = (count: number) => ({
    history: Array.from({ length: count }, (_, n) => ({ timestamp: seconds - n, temperature: 3 })),
  })
  expect(decodeFrom('chirpstack', { ...GOOD, decoded: kept(1_000) }).readings).toHaveLength(1_000)
  const { readings, rejects } = decodeFrom('chirpstack', { ...GOOD, decoded: kept(1_001) })
  expect(readings).toEqual([])
  expect(rejects).toMatchObject([{ item: null, reason: 'invalid', device: DEV_EUI }])
  expect(rejects[0]?.detail).toContain('expected at most 1000')

  const normalized = Array.from({ length: 101 }, (_, n) => ({
    time: new Date(NETWORK_AT_MS - n * 1_000).toISOString(),
    air: { temperature: 3 },
  }))
  expect(decodeFrom('things_stack', { ...GOOD, decoded: null, normalized }).readings).toHaveLength(101)
})

test("what is on port 0 is the network's own, and no reading", () => {
  // LinkCheckReq and DeviceTimeReq; of a sensor of Elsys the same bytes would be a humidity of 13 %.
  const uplink = { profile: 'Elsys ERS', bytes: '020D' }
  for (const server of ['chirpstack', 'things_stack'] as const) {
    expect(decodeFrom(server, uplink)).toMatchObject({ readings: [], doors: [], rejects: [] })
    expect(decodeFrom(server, { ...uplink, fPort: 5 }).readings).toMatchObject([{ humidity: 13 }])
  }
})

/** FUZZ_SEED repeats a run. */
const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31))
const ROUNDS = 3_000

test(`whatever an uplink says, what is stored is in range and has a place (FUZZ_SEED=${seed})`, () => {
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const one = <T>(values: readonly T[]): T => values[random(values.length)] as T
  const scalars = [
    4.2,
    -3,
    8e15,
    4e12,
    -3,
    -127,
    1e300,
    -0,
    85,
    327.67,
    1e13,
    250,
    '80-100%',
    'open',
    'INVALID',
    '',
    null,
    true,
    [],
    {},
  ]
  const values = [
    ...scalars,
    [3, 4],
    [{ temperature: 3 }],
    { value: 4, unit: '°F' },
    { value: {} },
    { 1: 2 },
    '\u0000',
  ]
  const fields =
    'temperature TempC_DS TempC1 humidity battery BatV vdd door state closed history readings timestamp time '
  const names = [
    ...fields.trim().split(' '),
    'Work_mode',
    'Door_status',
    'msgType',
    '__proto__',
    'tempNOW',
    'air',
  ]
  const record = () => Object.fromEntries(Array.from({ length: random(8) }, () => [one(names), one(values)]))
  const profiles = [
    'milesight em300-th',
    'milesight ts301',
    'dragino lht65',
    'dragino ltc2',
    'elsys ers',
    '',
    'x y',
  ]
  for (let round = 0; round < ROUNDS; round++) {
    const uplink: TestUplink = {
      profile: one(profiles),
      fPort: one([0, 2, 10, 85]),
      bytes: Buffer.from(Array.from({ length: random(24) }, () => random(256))).toString('hex'),
      decoded: one([
        null,
        record(),
        { ...record(), history: one([[record(), record()], { now: one(values), 1: record(), 2: record() }]) },
      ]),
      normalized: one([null, [record()], [{ air: record(), time: one(values) }, { battery: one(values) }]]),
      time: one([undefined, '', '2026-11-21T10:00:00Z', '2026-02-30T10:00:00Z']),
    }
    for (const server of ['chirpstack', 'things_stack'] as const) {
      const { readings, doors, rejects } = decodeFrom(server, uplink)
      for (const { temperature, humidity, battery, atMs } of readings) {
        expect(inRange(temperature, -100, 200) && inRange(humidity, 0, 100), JSON.stringify(uplink)).toBe(
          true,
        )
        expect(inRange(battery, 0, 100) && (battery === null || Number.isInteger(battery))).toBe(true)
        expect(atMs === null || Number.isInteger(atMs)).toBe(true)
      }
      const items = [...readings, ...doors, ...rejects].map(({ item }) => item)
      expect(new Set(items).size).toBe(items.length)
    }
  }
})

function inRange(value: number | null, min: number, max: number): boolean {
  return value === null || (value >= min && value <= max && !Object.is(value, -0))
}
