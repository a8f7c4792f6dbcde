import { type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { MessageRing } from './message-ring.ts'
import { euiOf, type LoadPlan, measuredBy, plannedMessage } from './plan.ts'

const TOPIC = 'v1/hubs/bench-hub-3/readings'
const TOPICS = { readings: TOPIC, doors: 'v1/hubs/bench-hub-3/doors' }

function planOf(changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    connections: 4,
    readingsPerMessage: 3,
    devicesPerConnection: 6,
    euiPrefix: 'be',
    startAtMs: 1_795_174_500_000,
    stepMs: 1_000,
    ...changes,
  }
}

function decode(bytes: Buffer): IPublishPacket[] {
  const found: IPublishPacket[] = []
  const packets = parser({ protocolVersion: 4 })
  packets.on('packet', (packet: Packet) => {
    if (packet.cmd === 'publish') found.push(packet)
  })
  packets.parse(bytes)
  return found
}

/** Takes messages in bursts of these sizes; what the socket would have been given. */
function bursts(ring: MessageRing, counts: readonly number[]): IPublishPacket[] {
  return counts.flatMap((count) => {
    const parts: Buffer[] = []
    ring.take(count, (bytes) => parts.push(Buffer.from(bytes)))
    return decode(Buffer.concat(parts))
  })
}

function expectedPayload(plan: LoadPlan, connection: number, message: number) {
  const { firstDevice, atMs } = plannedMessage(plan, connection, message)
  const readings = Array.from({ length: plan.readingsPerMessage }, (_, index) => ({
    device: euiOf(plan, firstDevice + index),
    at: atMs,
    ...measuredBy(firstDevice + index),
  }))
  return { readings }
}

test.each([
  ['one at a time', [1, 1, 1, 1, 1, 1, 1, 1, 1]],
  ['in bursts over the end of the ring', [3, 2, 4, 1, 4, 4]],
])('%s, every message is the planned one', (_, counts) => {
  const plan = planOf()
  const ring = new MessageRing({ plan, connection: 2, topics: TOPICS, inFlightMax: 4 })
  const packets = bursts(ring, counts)
  expect(packets).toHaveLength(counts.reduce((sum, count) => sum + count, 0))
  for (const [message, packet] of packets.entries()) {
    expect(packet).toMatchObject({ topic: TOPIC, qos: 1, dup: false, retain: false })
    expect(packet.messageId).toBe((message % ring.slots) + 1)
    expect(JSON.parse(packet.payload.toString())).toEqual(expectedPayload(plan, 2, message))
  }
})

test('a time that changes all of its digits is written whole', () => {
  const plan = planOf({ startAtMs: 1_999_999_999_999, stepMs: 1, devicesPerConnection: 3, connections: 1 })
  const packets = bursts(new MessageRing({ plan, connection: 0, topics: TOPICS, inFlightMax: 1 }), [1, 1])
  const times = packets.map(({ payload }) => JSON.parse(payload.toString()).readings[2].at)
  expect(times).toEqual([1_999_999_999_999, 2_000_000_000_000])
})

test('the ring holds whole turns through the devices', () => {
  const ring = new MessageRing({ plan: planOf(), connection: 0, topics: TOPICS, inFlightMax: 5 })
  expect(ring.slots).toBe(6)
})

test('no device and time comes twice, and no message names a device twice', () => {
  const plan = planOf({ connections: 7, stepMs: 3 })
  const keys: string[] = []
  for (let connection = 0; connection < plan.connections; connection++) {
    for (let message = 0; message < 40; message++) {
      const { readings } = expectedPayload(plan, connection, message)
      expect(new Set(readings.map(({ device }) => device)).size).toBe(readings.length)
      keys.push(...readings.map(({ device, at }) => `${device}@${at}`))
    }
  }
  expect(new Set(keys).size).toBe(7 * 40 * 3)
})
