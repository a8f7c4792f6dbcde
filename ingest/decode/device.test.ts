import { expect, test } from 'vitest'
import { decodeDoors } from './doors.ts'
import { decodeReadings } from './readings.ts'

const DEVICE = '24e124136b502f4a'
const OTHER = 'a840410001180f3e'
const NOW_MS = Date.UTC(2026, 10, 20, 10, 20)

function fromHub(item: unknown) {
  return decodeReadings(Buffer.from(JSON.stringify({ readings: [item] })), { receivedAtMs: NOW_MS })
}

function fromDevice(item: unknown) {
  return decodeReadings(Buffer.from(JSON.stringify(item)), { receivedAtMs: NOW_MS, impliedDevEui: DEVICE })
}

test.each([DEVICE, DEVICE.toUpperCase(), '24:e1:24:13:6B:50:2f:4a', '24-e1-24-13-6b-50-2f-4a'])(
  'from a hub, %s names the device',
  (device) => {
    expect(fromHub({ device, temperature: 1 }).items[0]?.device).toBe(DEVICE)
  },
)

test.each([undefined, null, '', 'x', 12, '24:e1-24:13:6b:50:2f:4a'])(
  'from a hub, the device %j is invalid',
  (device) => {
    const { items, rejects } = fromHub({ device, temperature: 1 })
    expect(items).toEqual([])
    expect(rejects).toEqual([
      {
        item: 0,
        reason: 'invalid',
        detail: expect.stringMatching(/^readings\[0\]\.device: expected a DevEUI/),
        ...(typeof device === 'string' && { device }),
      },
    ])
  },
)

test('from a device, the topic names it', () => {
  expect(fromDevice({ temperature: 1 }).items[0]?.device).toBe(DEVICE)
  expect(fromDevice({ device: null, temperature: 1 }).items[0]?.device).toBe(DEVICE)
  expect(fromDevice({ device: DEVICE.toUpperCase(), temperature: 1 }).items[0]?.device).toBe(DEVICE)
  expect(fromDevice({ readings: [{ temperature: 1 }] }).items[0]?.device).toBe(DEVICE)
  expect(fromDevice([{ temperature: 1 }, { device: DEVICE, temperature: 2 }]).items).toHaveLength(2)
})

test('from a device, another device is not its own', () => {
  expect(fromDevice({ device: OTHER, temperature: 1 })).toMatchObject({
    envelope: { notes: [] },
    items: [],
    rejects: [
      {
        item: 0,
        reason: 'not_your_device',
        detail: `device: expected the device of the topic (${DEVICE}) or none, got "${OTHER}"`,
        device: OTHER,
      },
    ],
  })
})

test('from a device, a text that is no DevEUI is invalid', () => {
  expect(fromDevice({ device: 'mine', temperature: 1 }).rejects[0]).toMatchObject({
    reason: 'invalid',
    device: 'mine',
  })
})

test('a reject of a device that named none carries the one of the topic', () => {
  expect(fromDevice({ temperature: 999 }).rejects[0]).toMatchObject({ reason: 'invalid', device: DEVICE })
})

test('doors have the same rules', () => {
  const context = { receivedAtMs: NOW_MS, impliedDevEui: DEVICE }
  const decode = (item: unknown) => decodeDoors(Buffer.from(JSON.stringify(item)), context)
  expect(decode({ state: 'open' }).items).toEqual([{ item: 0, device: DEVICE, atMs: null, state: 'open' }])
  expect(decode({ device: OTHER, state: 'open' }).rejects[0]?.reason).toBe('not_your_device')
})
