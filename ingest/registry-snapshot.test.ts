import { expect, test } from 'vitest'
import type { DeviceRecord, LogInRecord } from '../db/registry.ts'
import { decodeSnapshot, encodeSnapshot } from './registry-snapshot.ts'

const DATABASE = 'postgres://app@db.example/frost'

const device = (id: number): DeviceRecord => ({
  id,
  devEui: id.toString(16).padStart(16, '0'),
  organizationId: 7,
  ...(id % 2 === 1 && { temperatureSource: 'external' }),
  assignments: [
    { unitId: null, siteId: null, fromMs: Number.NEGATIVE_INFINITY, toMs: 1_000.5 },
    { unitId: 3, siteId: 2, fromMs: 1_000.5, toMs: Number.POSITIVE_INFINITY },
  ],
})
const logIn: LogInRecord = {
  kind: 'network_server',
  name: 'ns-ä"\n',
  id: 1,
  organizationId: 7,
  siteId: null,
  credentialHash: 'scrypt:x',
}

const contents = (devices: number) => ({
  devices: Array.from({ length: devices }, (_, n) => device(n)),
  logIns: [logIn],
})
const encode = (devices: number) => [...encodeSnapshot(contents(devices), DATABASE)].join('')

test.each([0, 1, 499, 500, 1_234])('%d devices come back as they were', (devices) => {
  expect(decodeSnapshot(encode(devices), DATABASE)).toEqual(contents(devices))
})

test('a large registry comes in pieces', () => {
  const sizes = [...encodeSnapshot(contents(5_000), DATABASE)].map((chunk) => chunk.length)
  expect(Math.max(...sizes)).toBeLessThan(encode(5_000).length / 8)
})

test('torn anywhere, it is refused', () => {
  const whole = encode(3)
  for (let length = 0; length < whole.length; length += 1) {
    expect(() => decodeSnapshot(whole.slice(0, length), DATABASE), String(length)).toThrow(
      /^it is none$|^its end is missing$/,
    )
  }
})

test('a changed byte is found', () => {
  const whole = encode(3)
  expect(() => decodeSnapshot(whole.replace('"siteId":2', '"siteId":9'), DATABASE)).toThrow('damaged')
})

test('one of another database, version or kind is refused, and the message says what was expected', () => {
  expect(() => decodeSnapshot(encode(1), 'postgres://app@db.example/other')).toThrow(
    'it is of postgres://app@db.example/frost, expected postgres://app@db.example/other',
  )
  expect(() => decodeSnapshot(encode(1).replace('"version":1', '"version":2'), DATABASE)).toThrow(
    'it has version 2, expected 1',
  )
  for (const text of ['', '{}\n', 'null\n', '\0\0\0\0', '{"format":"another","version":1}\n'])
    expect(() => decodeSnapshot(text, DATABASE)).toThrow('it is none')
})
