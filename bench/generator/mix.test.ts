import { type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { decodeDoors } from '../../ingest/decode/doors.ts'
import { decodeReadings } from '../../ingest/decode/readings.ts'
import { MessageRing } from './message-ring.ts'
import { type ExpectedBooks, expectedBooks, FAULTS, itemsSent, kindOf, type Mix } from './mix.ts'
import { euiOf, type LoadPlan } from './plan.ts'

const TOPICS = { readings: 'readings', doors: 'doors' }
const PLAN: LoadPlan = {
  connections: 5,
  readingsPerMessage: 4,
  devicesPerConnection: 8,
  euiPrefix: 'be',
  startAtMs: 1_795_174_500_000,
  stepMs: 1_000,
}
const MIX: Mix = { faultEvery: 5, doorsEvery: 10, resendEvery: 4 }
const IN_FLIGHT_MAX = 20

/** What every connection sends, one message at a time. */
function sendAll(plan: LoadPlan, mix: Mix, messages: number) {
  const rings = Array.from(
    { length: plan.connections },
    (_, connection) => new MessageRing({ plan, mix, connection, topics: TOPICS, inFlightMax: IN_FLIGHT_MAX }),
  )
  const sent = rings.flatMap((ring) =>
    Array.from({ length: messages }, (_, message) => {
      const found: IPublishPacket[] = []
      const packets = parser({ protocolVersion: 4 })
      packets.on('packet', (packet: Packet) => void found.push(packet as IPublishPacket))
      ring.take(1, (bytes) => packets.parse(Buffer.from(bytes)))
      expect(found).toHaveLength(1)
      return { packet: found[0] as IPublishPacket, ring, message }
    }),
  )
  return { rings, sent }
}

/** Counts as ingest does, with its decoders, what these messages leave in the database. */
function storeAll(plan: LoadPlan, packets: readonly IPublishPacket[]) {
  const books: ExpectedBooks = {
    ...{ readings: 0, readingsDuplicate: 0, doors: 0, doorsDuplicate: 0 },
    rejected: { malformed: 0, unknown_device: 0, invalid: 0 },
  }
  let items = 0
  const context = { receivedAtMs: plan.startAtMs }
  const known = new Set(
    Array.from({ length: plan.connections * plan.devicesPerConnection }, (_, index) =>
      euiOf(plan, index + 1),
    ),
  )
  const keys = new Set<string>()
  const isNew = (key: string) => keys.size < keys.add(key).size
  for (const { topic, payload } of packets) {
    const bytes = Buffer.from(payload)
    const isDoors = topic === 'doors'
    const doors = isDoors ? decodeDoors(bytes, context) : undefined
    const readings = isDoors ? undefined : decodeReadings(bytes, context)
    for (const { reason } of readings?.rejects ?? []) books.rejected[reason as 'malformed' | 'invalid'] += 1
    items += (readings?.items.length ?? 0) + (readings?.rejects.length ?? 0) + (doors?.items.length ?? 0)
    for (const { device, atMs, state } of doors?.items ?? []) {
      books[isNew(`${device} ${atMs} ${state}`) ? 'doors' : 'doorsDuplicate'] += 1
    }
    for (const { device, atMs } of readings?.items ?? []) {
      if (!known.has(device)) books.rejected.unknown_device += 1
      else books[isNew(`${device} ${atMs}`) ? 'readings' : 'readingsDuplicate'] += 1
    }
  }
  return { books, items }
}

test.each([
  ['plain readings', {}],
  ['faults', { faultEvery: 5 }],
  ['doors', { doorsEvery: 3 }],
  ['resends', { resendEvery: 4 }],
  ['all of it', MIX],
])('what the ledger expects of %s is what the decoders of ingest make of it', (_, mix) => {
  for (const readingsPerMessage of [1, 4]) {
    const plan = { ...PLAN, readingsPerMessage }
    const { rings, sent } = sendAll(plan, mix, 110)
    const stored = storeAll(
      plan,
      sent.map(({ packet }) => packet),
    )
    const tallies = rings.map(({ tally }) => tally)
    expect(expectedBooks(tallies, plan)).toEqual(stored.books)
    expect(itemsSent(tallies, plan)).toBe(stored.items)
    for (const { message, ring, packet } of sent) expect(packet.messageId).toBe((message % ring.slots) + 1)
  }
})

test('a resend is the message before it in its place, byte for byte but for DUP', () => {
  const { sent, rings } = sendAll({ ...PLAN, connections: 1 }, MIX, 400)
  const slots = rings[0]?.slots ?? 0
  const again = sent.filter(
    ({ packet, message }) => packet.payload.toString() === sent[message - slots]?.packet.payload.toString(),
  )
  expect(again.length / sent.length).toBeGreaterThan(0.2)
  expect(again.length / sent.length).toBeLessThan(0.3)
  const withDup = sent.filter(({ packet }) => packet.dup)
  expect(again).toEqual(expect.arrayContaining(withDup))
  expect(withDup.length / again.length).toBeGreaterThan(0.4)
  expect(withDup.length / again.length).toBeLessThan(0.6)
})

test('the shares are right over many connections whose rings are small, and every fault comes', () => {
  const kinds = Array.from({ length: 1_000 }, (_, connection) =>
    Array.from({ length: 20 }, (_, slot) =>
      kindOf({ faultEvery: 100, doorsEvery: 50 }, connection, slot, 20),
    ),
  ).flat()
  const count = (kind: string) => kinds.filter((other) => other === kind).length
  expect(FAULTS.map(count)).toEqual([40, 40, 40, 40, 40])
  expect(count('doors')).toBe(400)
})
