import { generate } from 'mqtt-packet'
import { afterEach, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  openRaw,
  publishPacket,
  type RawClient,
  randomSeed,
  seeded,
  startBroker,
  until,
} from './testing.ts'

const KIB = 1024
const MIB = 1024 * KIB

afterEach(closeAll)

async function waitUntilDrained(client: RawClient): Promise<void> {
  await until(() => client.closed || client.stream.writableLength === 0, 'the socket took what was written')
}

test('an announced 200 MB CONNECT is refused by its header and grows nothing', async () => {
  const { broker, addresses } = await startBroker()
  const client = await openRaw(addresses.mqtt.port)
  const chunk = Buffer.alloc(MIB)
  const before = process.memoryUsage()
  client.sendBytes(Buffer.from([0x10, 0x80, 0x80, 0xaf, 0x5f]))
  for (let sent = 0; sent < 60 && !client.closed; sent++) {
    client.sendBytes(chunk)
    await waitUntilDrained(client)
  }
  await client.untilClosed()
  expect(broker.counters.frames.frame_before_log_in).toBe(1)
  expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(20 * MIB)
})

test('256 KiB passes whole; one byte more is cut to 4 KiB and acknowledged in order', async () => {
  const { broker, addresses, arrivals } = await startBroker()
  const client = await logInRaw(addresses.mqtt.port)
  const sizes = [10, 256 * KIB, 256 * KIB + 1, 20, 4 * MIB, 30]
  sizes.forEach((bytes, index) => {
    const payload = Buffer.alloc(bytes, index + 1)
    client.send(
      publishPacket({
        messageId: index + 1,
        payload,
        topic: `v1/hubs/hub-1/${index % 2 ? 'doors' : 'readings'}`,
      }),
    )
  })
  await client.next('puback', sizes.length)
  expect(client.all('puback').map(({ messageId }) => messageId)).toEqual([1, 2, 3, 4, 5, 6])
  expect(arrivals.map(({ payload, oversizedBytes }) => [payload.length, oversizedBytes])).toEqual([
    [10, undefined],
    [256 * KIB, undefined],
    [4 * KIB, 256 * KIB + 1],
    [20, undefined],
    [4 * KIB, 4 * MIB],
    [30, undefined],
  ])
  expect(arrivals.every(({ payload }, index) => payload.every((byte) => byte === index + 1))).toBe(true)
  expect(broker.counters.messagesOversized).toBe(2)
})

test.each([0, 1, 2] as const)('an oversized publish of QoS %i', async (qos) => {
  const { addresses, arrivals } = await startBroker()
  const client = await logInRaw(addresses.mqtt.port)
  client.send(
    publishPacket({ qos, messageId: 7, payload: Buffer.alloc(MIB) }),
    publishPacket({ messageId: 8 }),
  )
  if (qos === 1) await client.next('puback', 2)
  if (qos === 2) expect((await client.next('pubrec')).messageId).toBe(7)
  await until(() => arrivals.length === 2, 'both arrived')
  expect(arrivals.map(({ oversizedBytes }) => oversizedBytes)).toEqual([MIB, undefined])
})

test('above 4 MiB the connection ends, and what came before it is not lost', async () => {
  const { broker, addresses, arrivals } = await startBroker()
  const client = await logInRaw(addresses.mqtt.port)
  client.send(
    publishPacket({ messageId: 1 }),
    publishPacket({ messageId: 2, payload: Buffer.alloc(4 * MIB + 1) }),
  )
  await client.untilClosed()
  await until(() => broker.counters.frames.message_too_large === 1, 'it was counted')
  expect(arrivals.length).toBe(1)
  expect(broker.counters.connectionErrors).toBe(0)
})

test('a large packet that is no PUBLISH, and a malformed length, end the connection', async () => {
  const { broker, addresses } = await startBroker()
  const subscriber = await logInRaw(addresses.mqtt.port, { clientId: 'a' })
  const subscriptions = Array.from({ length: 5 }, () => ({ topic: 'x'.repeat(60_000), qos: 0 as const }))
  subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions })
  await subscriber.untilClosed()
  const malformed = await logInRaw(addresses.mqtt.port, { clientId: 'b' })
  malformed.sendBytes(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]))
  await malformed.untilClosed()
  expect(broker.counters.frames).toMatchObject({ packet_too_large: 1, malformed_length: 1 })
})

test('oversized messages are not held in memory while they come in', async () => {
  const { broker, addresses, arrivals } = await startBroker()
  const clients = await Promise.all(
    Array.from({ length: 20 }, (_, index) => logInRaw(addresses.mqtt.port, { clientId: `c${index}` })),
  )
  const chunk = Buffer.alloc(256 * KIB)
  const whole = generate(publishPacket({ payload: Buffer.alloc(4 * MIB) }))
  const header = Buffer.from(whole.subarray(0, whole.length - 4 * MIB))
  const before = process.memoryUsage()
  for (const client of clients) {
    client.sendBytes(header)
    // All but the last chunk, so that each message is still coming in.
    for (let sent = 0; sent < 4 * MIB - chunk.length; sent += chunk.length) {
      client.sendBytes(chunk)
      await waitUntilDrained(client)
    }
  }
  await until(() => arrivals.length === clients.length, 'their beginnings arrived')
  const after = process.memoryUsage()
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(40 * MIB)
  expect(broker.counters.messagesOversized).toBe(clients.length)
})

test('random traffic in random chunks over a socket arrives whole, in order and once', async () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const { addresses, arrivals } = await startBroker({
    env: { MQTT_MESSAGE_BYTES_MAX: '8000', MQTT_FRAME_BYTES_MAX: '30000' },
  })
  const client = await openRaw(addresses.mqtt.port)
  const sizes = Array.from({ length: 300 }, () => below(below(4) === 0 ? 30_000 : 200))
  const packets = sizes.map((bytes, index) => {
    const payload = Buffer.alloc(bytes, index % 251)
    return generate(publishPacket({ messageId: index + 1, payload, qos: 1 }))
  })
  const bytes = Buffer.concat([generate(connectPacket()), ...packets])
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + below(5_000)
    client.sendBytes(bytes.subarray(at, end))
    await new Promise((resolve) => setImmediate(resolve))
    at = end
  }
  await client.next('puback', sizes.length)
  const expected = sizes.map((size, index) =>
    size > 8_000 ? [4_096, size, index % 251] : [size, undefined, index % 251],
  )
  const found = arrivals.map(({ payload, oversizedBytes }, index) => [
    payload.length,
    oversizedBytes,
    payload[0] ?? index % 251,
  ])
  expect(found, `seed ${seed}`).toEqual(expected)
})
