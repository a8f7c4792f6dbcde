import { describe, expect, test } from 'vitest'
import { decodeDoors } from '../../ingest/decode/doors.ts'
import { decodeReadings } from '../../ingest/decode/readings.ts'
import { badItem, garbage } from '../faults/bad-items.ts'
import { Random } from '../random.ts'
import { DEVICES, door, reading, START_MS } from '../testing/messages.ts'
import { type Draft, encodeMessage, garbageMessage, sentItem, topicOf } from './message.ts'

const number = { boot: 'b1', seq: 7, sentAtMs: START_MS }
const OWN = `device:${DEVICES[0]}`

const json = (publisher: string, draft: Draft) =>
  JSON.parse(encodeMessage(publisher, draft, number).payload.toString())

test("a hub's messages have their number, and name the device of each item", () => {
  const readings = [reading(START_MS, { humidity: 51.2 }), reading(START_MS + 2)]
  expect(json('hub-1', { channel: 'readings', items: readings })).toEqual({
    boot: 'b1',
    seq: 7,
    sent_at: START_MS,
    readings,
  })
  expect(json('hub-1', { channel: 'doors', items: [door(START_MS)] })).toMatchObject({
    events: [door(START_MS)],
  })
})

test('a device of its own sends one item without its name; what it had kept goes as a list', () => {
  const { device: _device, ...bare } = reading(START_MS)
  expect(json(OWN, { channel: 'readings', items: [reading(START_MS)] })).toEqual(bare)
  expect(json(OWN, { channel: 'readings', items: [reading(START_MS), reading(START_MS)] })).toEqual([
    bare,
    bare,
  ])
})

test('topics', () => {
  expect(topicOf('hub-1', 'status')).toBe('v1/hubs/hub-1/status')
  expect(topicOf(OWN, 'doors')).toBe(`v1/devices/${DEVICES[0]}/doors`)
})

test('a measurement becomes an item with the time of its publisher', () => {
  const measured = { kind: 'reading', devEui: DEVICES[0], measuredAtMs: 1.5, fault: 'no_probe' } as const
  expect(sentItem(measured, START_MS)).toEqual({ device: DEVICES[0], at: START_MS, fault: 'no_probe' })
})

describe('what is bad is set aside for its reason, and its neighbours are not', () => {
  const random = new Random(1, 'bad items')
  const devices = new Set<string>(DEVICES)

  /** What ingest finds, with the registry's part: a device that nobody has is unknown. */
  function reasons(publisher: string, channel: 'readings' | 'doors', payload: Buffer): string[] {
    const context = {
      receivedAtMs: START_MS,
      ...(publisher === OWN && { impliedDevEui: DEVICES[0] }),
    }
    const { items, rejects } =
      channel === 'readings' ? decodeReadings(payload, context) : decodeDoors(payload, context)
    const unknown = items.filter(({ device }) => !devices.has(device)).map(() => 'unknown_device')
    expect(items.length - unknown.length).toBe(1)
    return [...rejects.map(({ reason }) => reason), ...unknown]
  }

  test.each([
    ['hub-1', ['clock', 'invalid', 'unknown_device']],
    [OWN, ['clock', 'invalid', 'not_your_device']],
  ])('items of %s', (publisher, expected) => {
    const seen = new Set<string>()
    for (let round = 0; round < 60; round++) {
      const channel = random.pick(['readings', 'doors'] as const)
      const bad = badItem(random, publisher, { channel, device: DEVICES[0], at: START_MS })
      const good: Draft =
        channel === 'readings'
          ? { channel, items: [reading(START_MS)], bad }
          : { channel, items: [{ device: DEVICES[0], at: START_MS, state: 'open' }], bad }
      const encoded = encodeMessage(publisher, good, number)
      expect(reasons(publisher, channel, encoded.payload)).toEqual([bad.reason])
      expect(encoded.rejects).toEqual([bad.reason])
      seen.add(bad.reason)
    }
    expect([...seen].sort()).toEqual(expected)
  })

  test('garbage', () => {
    for (let round = 0; round < 60; round++) {
      const { payload, rejects } = garbageMessage('v1/hubs/hub-1/readings', garbage(random))
      const decoded = decodeReadings(payload, { receivedAtMs: START_MS })
      expect(decoded).toMatchObject({ items: [], rejects: [{ item: null, reason: 'malformed' }] })
      expect(rejects).toEqual(['malformed'])
    }
  })
})
