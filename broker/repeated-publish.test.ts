import { generate, type Packet, parser } from 'mqtt-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { FrameScanner } from './frame-scanner.ts'
import { RepeatedPublish } from './repeated-publish.ts'
import {
  closeAll,
  connectPacket,
  holding,
  logInRaw,
  publishPacket,
  randomSeed,
  seeded,
  startBroker,
  until,
} from './testing.ts'

afterEach(closeAll)

const TOPIC = 'v1/hubs/hub-1/readings'
const LIMITS = {
  connect_bytes_max: 8_000,
  message_bytes_max: 8_000,
  frame_bytes_max: 30_000,
  oversized_kept_bytes: 4_096,
}

/** A scanner in front of a parser, as the broker has them; says what comes out of the two, in order. */
function openReader() {
  const read: { by: 'scanner' | 'parser'; text: string }[] = []
  const publishes = new RepeatedPublish()
  const note = (by: 'scanner' | 'parser', packet: object) => read.push({ by, text: textOf(packet) })
  const scanner = new FrameScanner(LIMITS, () => true, {
    publishes,
    take: (packet) => note('scanner', { cmd: 'publish', ...packet }),
  })
  const parsing = parser({ protocolVersion: 4 })
  parsing.on('packet', (packet: Packet) => {
    note('parser', packet)
    if (packet.cmd === 'publish') publishes.remember(packet.topic)
  })
  scanner.scan(generate(connectPacket()))
  scanner.logIn()
  const feed = (chunk: Buffer) => {
    const { passed } = scanner.scan(chunk)
    if (passed.length > 0) parsing.parse(passed)
  }
  return { read, feed }
}

/** The fields that count, in one order. */
function textOf(packet: object): string {
  const { cmd, topic, payload, qos, dup, retain, messageId, length } = packet as Record<string, unknown>
  return JSON.stringify([cmd, topic, String(payload), qos, dup, retain, messageId, length])
}

function randomPacket(random: () => number, messageId: number): Packet {
  if (random() < 0.1) return { cmd: 'pingreq' }
  const qos = random() < 0.8 ? 1 : random() < 0.5 ? 0 : 2
  return publishPacket({
    messageId,
    qos,
    topic: random() < 0.8 ? TOPIC : `${TOPIC}${'x'.repeat(Math.floor(random() * 3))}`,
    dup: qos > 0 && random() < 0.2,
    retain: random() < 0.1,
    payload: Buffer.from('p'.repeat(Math.floor(random() * (random() < 0.1 ? 3_000 : 200)))),
  })
}

/** Sockets mostly give whole packets, as they were written. */
function cut(packets: readonly Buffer[], random: () => number): Buffer[] {
  const bytes = Buffer.concat(packets)
  let end = 0
  const ends = packets.map((packet) => (end += packet.length))
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const anywhere = at + 1 + Math.floor(random() * 2_000)
    const to = random() < 0.7 ? (ends.find((place) => place >= anywhere) ?? bytes.length) : anywhere
    chunks.push(bytes.subarray(at, to))
    at = to
  }
  return chunks
}

test('random packets in random chunks: the same comes out, in the same order, as the parser alone would read', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  let pastParser = 0
  for (let run = 0; run < 100; run++) {
    const packets = Array.from({ length: 200 }, (_, index) => generate(randomPacket(random, index + 1)))
    const expected: string[] = []
    const parsing = parser({ protocolVersion: 4 })
    parsing.on('packet', (packet: Packet) => expected.push(textOf(packet)))
    parsing.parse(Buffer.concat(packets))
    const { read, feed } = openReader()
    for (const chunk of cut(packets, random)) feed(chunk)
    expect(
      read.map(({ text }) => text),
      `seed ${seed}, run ${run}`,
    ).toEqual(expected)
    pastParser += read.filter(({ by }) => by === 'scanner').length
  }
  expect(pastParser, `seed ${seed}`).toBeGreaterThan(1_000)
})

describe('who reads it', () => {
  const repeated = generate(publishPacket({ messageId: 2 }))
  test.each([
    ['the same topic again', 'scanner', publishPacket({ messageId: 2 })],
    ['a payload that needs two bytes of length', 'scanner', publishPacket({ payload: Buffer.alloc(5_000) })],
    ['an empty payload', 'scanner', publishPacket({ payload: Buffer.alloc(0) })],
    ['another topic', 'parser', publishPacket({ topic: `${TOPIC.slice(0, -1)}x` })],
    ['a longer topic', 'parser', publishPacket({ topic: `${TOPIC}x` })],
    ['QoS 0', 'parser', publishPacket({ qos: 0 })],
    ['QoS 2', 'parser', publishPacket({ qos: 2 })],
    ['behind another packet', 'parser', Buffer.concat([generate({ cmd: 'pingreq' }), repeated])],
  ] as const)('%s: %s', (_what, by, sent) => {
    const { read, feed } = openReader()
    feed(generate(publishPacket({ messageId: 1 })))
    feed(Buffer.isBuffer(sent) ? sent : generate(sent))
    expect(read.at(-1)?.by).toBe(by)
  })

  test('a packet id of 0, or a topic that goes on behind the frame, is for the parser to refuse', () => {
    const { read, feed } = openReader()
    feed(generate(publishPacket({ messageId: 1 })))
    const withoutId = Buffer.from(repeated)
    withoutId.writeUInt16BE(0, 2 + 2 + TOPIC.length)
    feed(withoutId)
    const short = Buffer.from([0x32, 2 + TOPIC.length, ...repeated.subarray(2, 4 + TOPIC.length)])
    feed(Buffer.concat([short, repeated]))
    expect(read.filter(({ by }) => by === 'scanner')).toEqual([])
  })
})

test('acknowledgements keep the order of arrival over both ways', async () => {
  const { held, accept } = holding()
  const { addresses, arrivals } = await startBroker({ accept })
  const client = await logInRaw(addresses.mqtt.port)
  const ids = Array.from({ length: 60 }, (_, index) => index + 1)
  const topicOf = (id: number) => `v1/hubs/hub-1/${id % 7 < 5 ? 'readings' : 'doors'}`
  for (const from of [0, 20, 40]) {
    client.send(
      ...ids
        .slice(from, from + 20)
        .map((messageId) => publishPacket({ messageId, topic: topicOf(messageId) })),
    )
    await until(() => arrivals.length === from + 20, 'they arrived')
  }
  expect(arrivals.map(({ topic }) => topic)).toEqual(ids.map(topicOf))
  for (const done of held.reverse()) done()
  await client.next('puback', 60)
  expect(client.all('puback').map(({ messageId }) => messageId)).toEqual(ids)
})

test('a small payload does not keep the large piece alive that it came in', () => {
  const publishes = new RepeatedPublish()
  publishes.remember('t')
  const read = (payload: Buffer, around: number) => {
    const message = generate(publishPacket({ topic: 't', payload }))
    const chunk = Buffer.concat([message, Buffer.allocUnsafeSlow(around)])
    const found = publishes.find(chunk, 0)
    if (!found) throw new Error('not found')
    const { payload: taken } = publishes.read(chunk, found)
    expect(taken.equals(payload)).toBe(true)
    return taken.buffer === chunk.buffer
  }
  expect(read(Buffer.from('{}'), 4_000_000)).toBe(false)
  expect(read(Buffer.alloc(300_000, 'x'), 4_000_000)).toBe(true)
  expect(read(Buffer.from('{}'), 100)).toBe(true)
})
