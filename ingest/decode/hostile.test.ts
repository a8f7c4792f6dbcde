/** Payloads that break parsers, stores or terminals. */
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeReadings } from './readings.ts'

const DEVICE = '24e124136b502f4a'
const context = { receivedAtMs: Date.UTC(2026, 10, 20, 10, 20) }
const good = `{"device":"${DEVICE}","temperature":3.4}`

function decode(payload: Buffer | string) {
  return decodeReadings(Buffer.from(payload), context)
}

describe('bytes that are no JSON in UTF-8', () => {
  test.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['text', 'hello'],
    ['a trailing comma', `[${good},]`],
    ['NaN in a message that is no JSON besides', `[${good.replace('3.4', 'NaN')},]`],
    ['hexadecimal', good.replace('3.4', '0x10')],
    ['single quotes', good.replaceAll('"', "'")],
    ['two values', `${good}${good}`],
    ['a cut message', good.slice(0, -1)],
    ['protobuf', Buffer.from([0x0a, 0x10, 0x32, 0x34, 0x15, 0x9a, 0x99])],
    ['gzip', gzipSync(good)],
    ['UTF-16 with a byte order mark', Buffer.from(`\ufeff${good}`, 'utf16le')],
    ['UTF-16 without one', Buffer.from(good, 'utf16le')],
    [
      'a byte that UTF-8 does not have',
      Buffer.concat([Buffer.from('["'), Buffer.from([0xff]), Buffer.from('"]')]),
    ],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('["'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"]')]),
    ],
    ['two byte order marks', `\ufeff\ufeff${good}`],
  ])('%s is malformed', (_, payload) => {
    const { envelope, items, rejects } = decode(payload)
    expect(envelope).toEqual({ notes: [] })
    expect(items).toEqual([])
    expect(rejects).toEqual([
      { item: null, reason: 'malformed', detail: expect.stringContaining('expected JSON') },
    ])
  })

  test('one byte order mark in UTF-8 is stripped', () => {
    expect(decode(`\ufeff${good}`).items).toHaveLength(1)
  })
})

describe('keys', () => {
  test('of duplicate keys the last wins', () => {
    const [item] = decode(`{"device":"${DEVICE}","temperature":1,"temperature":2}`).items
    expect(item?.temperature).toBe(2)
  })

  test('names are taken to the letter', () => {
    expect(decode(`{"Device":"${DEVICE}","Temperature":1}`).rejects[0]?.reason).toBe('malformed')
  })

  test('__proto__ and constructor change no prototype and give no field', () => {
    const poison = `"__proto__":{"polluted":1,"temperature":99},"constructor":{"prototype":{"polluted":1}}`
    const { items, rejects } = decode(
      `{${poison},"readings":[{${poison},"device":"${DEVICE}","humidity":5}]}`,
    )
    expect(rejects).toEqual([])
    expect(items).toMatchObject([{ temperature: null, humidity: 5 }])
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(items[0]).not.toHaveProperty('polluted')
  })

  test('a reading only in __proto__ is none', () => {
    const { items, rejects } = decode(`[{"__proto__":${good}}]`)
    expect(items).toEqual([])
    expect(rejects[0]).toMatchObject({ item: 0, reason: 'invalid' })
  })
})

describe('bombs', () => {
  const depth = 100_000
  const deep = '['.repeat(depth) + ']'.repeat(depth)

  test('100,000 arrays deep, alone or in any field', () => {
    expect(decode(deep).rejects).toMatchObject([{ item: 0, reason: 'invalid' }])
    expect(decode(`{"readings":${deep}}`).rejects).toMatchObject([{ item: 0, reason: 'invalid' }])
    expect(decode(`{"boot":${deep},"readings":[${good}]}`)).toMatchObject({
      envelope: { notes: [expect.stringContaining('got an array; ignored')] },
      items: [{ device: DEVICE }],
    })
    for (const field of ['device', 'at', 'temperature', 'fault']) {
      const { rejects } = decode(
        `[${good.replace('{', `{"extra":${deep},`).replace('}', `,"${field}":${deep}}`)}]`,
      )
      const detail = expect.stringMatching(new RegExp(`${field}: expected .*, got an array$`))
      expect(rejects).toMatchObject([{ item: 0, reason: 'invalid', detail }])
    }
    expect(decode(good.replace('{', `{"extra":${deep},`)).items).toHaveLength(1)
  })

  test('100,000 objects deep', () => {
    const objects = `${'{"readings":'.repeat(depth)}null${'}'.repeat(depth)}`
    expect(decode(objects).rejects).toMatchObject([{ item: null, reason: 'malformed' }])
  })

  test('200,000 keys around the readings, and in one', () => {
    const keys = Array.from({ length: 200_000 }, (_, index) => `"k${index}":${index}`).join(',')
    expect(decode(`{${keys},"readings":[${good}]}`).items).toHaveLength(1)
    expect(decode(`[${good},${good.replace('{', `{${keys},`)}]`).items).toHaveLength(2)
    expect(decode(`{${keys}}`).rejects[0]?.detail.length).toBeLessThan(500)
  })

  test('a million elements are refused before they are looked at', () => {
    expect(decode(`[${'0,'.repeat(999_999)}0]`).rejects).toEqual([
      { item: null, reason: 'invalid', detail: 'expected 1 to 1000 items, got 1000000' },
    ])
  })

  test('a string of 1 MB is cut wherever it is repeated', () => {
    const long = 'x'.repeat(1_000_000)
    const { rejects } = decode(JSON.stringify([{ device: long, at: long, temperature: long, fault: long }]))
    expect(rejects).toHaveLength(1)
    expect(rejects[0]?.detail.length).toBeLessThanOrEqual(500)
    expect(rejects[0]?.device).toBe('x'.repeat(64))
    expect(rejects[0]?.at).toBe('x'.repeat(64))
  })
})

describe('strings that stores and terminals do not bear', () => {
  const unsafe = /[\p{Cc}\p{Cs}]/u

  test.each([
    ['NUL', '\\u0000'],
    ['a lone surrogate', '\\ud800'],
    ['an escape sequence', '\\u001b[31m'],
    ['C1 controls and DEL', '\u0085\u007f'],
    ['a surrogate pair at the cut', `${'x'.repeat(63)}🧊`],
  ])('%s reaches no output', (_, text) => {
    const payload = `{"boot":"${text}","readings":[{"device":"${text}","at":"${text}","temperature":"${text}"}]}`
    const { envelope, rejects } = decode(payload)
    expect(rejects).toHaveLength(1)
    const [reject] = rejects
    for (const output of [reject?.detail, reject?.device, reject?.at, envelope.boot, ...envelope.notes]) {
      expect(String(output)).not.toMatch(unsafe)
    }
  })

  test('nor by way of the parser, which quotes what it could not read', () => {
    expect(decode('\u0000\u001b[31m').rejects[0]?.detail).not.toMatch(unsafe)
  })
})

test('numbers that JSON rounds: what is left must keep its range', () => {
  expect(decode(`{"device":"${DEVICE}","temperature":1e-400}`).items[0]?.temperature).toBe(0)
  expect(decode(`{"seq":9007199254740993,"readings":[${good}]}`).envelope).toEqual({
    notes: [expect.stringMatching(/^seq: expected/)],
  })
})

test.each([85, -0.01, 127.94])('%d °C is possible and kept as it is', (temperature) => {
  expect(decode(good.replace('3.4', String(temperature))).items[0]?.temperature).toBe(temperature)
})

test.each([-273.16, -127, -258.97, 327.67, -459])(
  '%d °C is a sensor without a probe: invalid',
  (temperature) => {
    expect(decode(good.replace('3.4', String(temperature))).rejects[0]?.reason).toBe('invalid')
  },
)

test('NaN alone is none of the shapes', () => {
  expect(decode('NaN').rejects).toMatchObject([{ item: null, reason: 'malformed' }])
})

test('NaN and Infinity, as some encoders write them, reject their reading and not its neighbours', () => {
  const words = ['NaN', 'Infinity', '-Infinity']
  const bad = words.map((word) => good.replace('3.4', word))
  const { items, rejects } = decode(`{"boot":"NaN","seq":NaN,"readings":[${[good, ...bad, good].join(',')}]}`)
  expect(items.map(({ item }) => item)).toEqual([0, 4])
  expect(rejects.map(({ item, reason }) => [item, reason])).toEqual([
    [1, 'invalid'],
    [2, 'invalid'],
    [3, 'invalid'],
  ])
})
