import { describe, expect, test } from 'vitest'
import { decodeReadings } from './readings.ts'

const DEVICE = '24e124136b502f4a'
const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)
const AT_MS = Date.UTC(2026, 10, 20, 10, 15)
const HOUR_MS = 3_600_000

const reading = { device: DEVICE, at: AT_MS, temperature: 3.42 }
const accepted = {
  item: 0,
  device: DEVICE,
  atMs: AT_MS,
  temperature: 3.42,
  humidity: null,
  battery: null,
  rssi: null,
  snr: null,
  fault: null,
}

function decode(payload: unknown, impliedDevEui?: string) {
  const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
  const context = { receivedAtMs: NOW_MS, ...(impliedDevEui !== undefined && { impliedDevEui }) }
  return decodeReadings(Buffer.from(text), context)
}

function onlyReject(payload: unknown, impliedDevEui?: string) {
  const { items, rejects } = decode(payload, impliedDevEui)
  expect(items).toEqual([])
  expect(rejects).toHaveLength(1)
  return rejects[0]
}

describe('shapes', () => {
  test('an object with readings, its envelope beside them', () => {
    const message = { boot: 'a1b2', seq: 4711, sent_at: '2026-11-20T10:15:02.120Z', readings: [reading] }
    expect(decode(message)).toMatchObject({
      envelope: { boot: 'a1b2', seq: 4711, sentAtMs: Date.UTC(2026, 10, 20, 10, 15, 2, 120), notes: [] },
      items: [accepted],
      rejects: [],
    })
  })

  test('a bare array', () => {
    const { envelope, items } = decode([reading, reading])
    expect(envelope).toEqual({ notes: [] })
    expect(items).toEqual([accepted, { ...accepted, item: 1 }])
  })

  test('a single reading, which may carry the envelope in itself', () => {
    expect(decode(reading)).toMatchObject({ envelope: { notes: [] }, items: [accepted], rejects: [] })
    expect(decode({ ...reading, boot: 'b', seq: 0 }).envelope).toEqual({ boot: 'b', seq: 0, notes: [] })
  })

  test('null for the list means that there is none', () => {
    expect(decode({ ...reading, readings: null }).items).toEqual([accepted])
  })

  test('1,000 readings are taken, 1,001 and 0 are invalid whole and keep their envelope', () => {
    const readings = Array.from({ length: 1_000 }, () => reading)
    expect(decode({ readings }).items).toHaveLength(1_000)
    const tooMany = decode({ boot: 'a', seq: 1, readings: [...readings, reading] })
    expect(tooMany.envelope).toEqual({ boot: 'a', seq: 1, notes: [] })
    expect(tooMany.items).toEqual([])
    expect(tooMany.rejects).toEqual([
      { item: null, reason: 'invalid', detail: 'readings: expected 1 to 1000 items, got 1001' },
    ])
    expect(decode({ boot: 'a', seq: 2, readings: [] })).toMatchObject({
      envelope: { boot: 'a', seq: 2, notes: [] },
      items: [],
      rejects: [{ item: null, reason: 'invalid', detail: 'readings: expected 1 to 1000 items, got 0' }],
    })
    expect(onlyReject('[]')).toMatchObject({ item: null, reason: 'invalid' })
  })

  test.each([
    ['null', 'null'],
    ['a string', '"x"'],
    ['a number', '12'],
    ['an empty object', '{}'],
    ['an object of another kind', '{"events":[{"state":"open"}]}'],
    ['readings that are no array', '{"readings":"x"}'],
    ['readings that are an object', '{"readings":{"device":"24e124136b502f4a","temperature":1}}'],
    [
      'a reading beside readings that are no array',
      '{"readings":1,"device":"24e124136b502f4a","temperature":1}',
    ],
    ['an object whose reading fields are all null', '{"device":null,"temperature":null}'],
  ])('%s is malformed', (_, payload) => {
    expect(onlyReject(payload)).toMatchObject({ item: null, reason: 'malformed' })
  })

  test('one bad of 500 is rejected alone', () => {
    const readings = Array.from({ length: 500 }, (_, index) => ({
      ...reading,
      temperature: index === 321 ? '4.2' : index / 10,
    }))
    const { items, rejects } = decode({ readings })
    expect(items.map(({ item }) => item)).toEqual(
      Array.from({ length: 500 }, (_, i) => i).filter((i) => i !== 321),
    )
    expect(rejects).toEqual([
      {
        item: 321,
        reason: 'invalid',
        detail: 'readings[321].temperature: expected a number from -100 to 200 (°C), got "4.2"',
        device: DEVICE,
        at: AT_MS,
      },
    ])
  })

  test('elements that are no objects are invalid items', () => {
    const { items, rejects } = decode([1, reading, null, 'x', [reading]])
    expect(items).toEqual([{ ...accepted, item: 1 }])
    expect(rejects).toEqual([
      { item: 0, reason: 'invalid', detail: '[0]: expected an object, got 1' },
      { item: 2, reason: 'invalid', detail: '[2]: expected an object, got null' },
      { item: 3, reason: 'invalid', detail: '[3]: expected an object, got "x"' },
      { item: 4, reason: 'invalid', detail: '[4]: expected an object, got an array' },
    ])
  })
})

describe('fields', () => {
  test('every field is read, unknown ones are ignored, null means absent', () => {
    const full = { humidity: 51.2, battery: 88, rssi: -91, snr: 7.5, fault: 'no_probe' }
    expect(decode({ ...reading, ...full, unit: 'F', nested: { deep: [] } }).items).toEqual([
      { ...accepted, ...full },
    ])
    const nulls = { humidity: null, battery: null, rssi: null, snr: null, fault: null }
    expect(decode({ ...reading, ...nulls }).items).toEqual([accepted])
  })

  test.each([
    ['temperature', -100, 200],
    ['humidity', 0, 100],
    ['battery', 0, 100],
    ['rssi', -200, 20],
    ['snr', -50, 50],
  ])('%s is taken from %d to %d, and refused beyond', (field, min, max) => {
    for (const value of [min, max]) {
      expect(decode({ ...reading, [field]: value }).items).toEqual([{ ...accepted, [field]: value }])
    }
    for (const value of [min - 0.01, max + 0.01]) {
      const detail = expect.stringMatching(
        `^${field}: expected a number from ${min} to ${max} .*, got ${value}$`,
      )
      expect(onlyReject({ ...reading, [field]: value })).toMatchObject({ item: 0, reason: 'invalid', detail })
    }
  })

  test.each(['"21.5"', '"21,5"', '""', 'true', '[]', '{}', '1e400', '-1e400'])(
    'temperature %s is invalid',
    (value) => {
      const payload = `{"device":"${DEVICE}","temperature":${value}}`
      expect(onlyReject(payload)).toMatchObject({ item: 0, reason: 'invalid' })
    },
  )

  test('-0 is 0, also after rounding; battery and RSSI become whole numbers', () => {
    const [item] = decode(`{"device":"${DEVICE}","temperature":-0,"rssi":-0.4,"battery":87.5}`).items
    expect(item?.temperature).toBe(0)
    expect(item?.rssi).toBe(0)
    expect(item?.battery).toBe(88)
  })

  test.each(['no_probe', 'probe_short', 'out_of_range', 'stuck', 'other'])(
    'fault %s alone is a reading',
    (fault) => {
      expect(decode({ device: DEVICE, at: AT_MS, fault }).items).toEqual([
        { ...accepted, temperature: null, fault },
      ])
    },
  )

  test.each(['NO_PROBE', 'broken', '', 1])('fault %j is invalid', (fault) => {
    expect(onlyReject({ ...reading, fault })).toMatchObject({ reason: 'invalid' })
  })

  test.each([
    [{}],
    [{ rssi: -90, snr: 5 }],
    [{ temperature: null, humidity: null, battery: null, fault: null }],
  ])('at least one of temperature, humidity, battery, fault: %j is invalid', (fields) => {
    expect(onlyReject([{ device: DEVICE, at: AT_MS, ...fields }])).toEqual({
      item: 0,
      reason: 'invalid',
      detail: '[0]: expected at least one of temperature, humidity, battery, fault, got none',
      device: DEVICE,
      at: AT_MS,
    })
  })

  test('every bad field is told', () => {
    expect(onlyReject({ ...reading, humidity: 101, battery: '5' })?.detail).toBe(
      'humidity: expected a number from 0 to 100 (%), got 101; battery: expected a number from 0 to 100 (%), got "5"',
    )
  })
})

describe('at', () => {
  test('absent or null: the message does not say', () => {
    expect(decode({ device: DEVICE, temperature: 1 }).items[0]?.atMs).toBeNull()
    expect(decode({ ...reading, at: null }).items[0]?.atMs).toBeNull()
  })

  test.each([
    [AT_MS, AT_MS],
    [AT_MS + 0.9, AT_MS],
    ['2026-11-20T11:15:00.0009+01:00', AT_MS],
    [Date.UTC(2015, 0, 1), Date.UTC(2015, 0, 1)],
    [NOW_MS + 24 * HOUR_MS, NOW_MS + 24 * HOUR_MS],
  ])('%s is taken', (at, atMs) => {
    expect(decode({ ...reading, at }).items).toEqual([{ ...accepted, atMs }])
  })

  test.each(['2026-02-30T00:00:00Z', '2026-11-20T24:00:00Z', '2026-11-20T10:15:00', '', '1795174500000'])(
    '"%s" is invalid',
    (at) => {
      const detail = `at: expected epoch milliseconds (a number) or an RFC 3339 time with its offset (a string), got "${at}"`
      expect(onlyReject({ ...reading, at })).toEqual({
        item: 0,
        reason: 'invalid',
        detail,
        device: DEVICE,
        at,
      })
    },
  )

  test.each(['true', '{}', '1e400'])('%s is invalid, and not repeated as the time', (at) => {
    const reject = onlyReject(`{"device":"${DEVICE}","temperature":1,"at":${at}}`)
    expect(reject).toMatchObject({ item: 0, reason: 'invalid', device: DEVICE })
    expect(reject).not.toHaveProperty('at')
  })

  test.each([
    [NOW_MS + 24 * HOUR_MS + 1, ''],
    [Date.UTC(2015, 0, 1) - 1, ''],
    [0, ''],
    [-1, ''],
    [1e300, ''],
    ['2014-12-31T23:59:59.999Z', ''],
    ['2026-11-22T10:20:00Z', ''],
    ['1970-01-21T18:39:34.500Z', ''],
    [AT_MS / 1e3, '; it looks like seconds: send milliseconds'],
    [AT_MS * 1e3, '; it looks like microseconds: send milliseconds'],
    [AT_MS * 1e6, '; it looks like nanoseconds: send milliseconds'],
  ])('%s is rejected for its clock%s', (at, hint) => {
    const found = typeof at === 'string' ? `"${at}"` : String(at)
    expect(onlyReject({ readings: [{ ...reading, at }] })).toEqual({
      item: 0,
      reason: 'clock',
      detail: `readings[0].at: expected a time from 2015-01-01 to 24 h after its arrival, got ${found}${hint}`,
      device: DEVICE,
      at,
    })
  })

  test('a bad field outweighs a bad clock', () => {
    expect(onlyReject({ ...reading, at: 0, temperature: 999 })?.reason).toBe('invalid')
  })
})
