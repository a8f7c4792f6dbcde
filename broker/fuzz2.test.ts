import { generate } from 'mqtt-packet'
import { afterEach, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  openRaw,
  publishPacket,
  randomSeed,
  seeded,
  startBroker,
  until,
} from './testing.ts'

afterEach(closeAll)

test('random damage to valid traffic ends at most its own connection', async () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const { broker, addresses } = await startBroker({ env: { MQTT_CONNECT_TIMEOUT_MS: '500' } })
  const { port } = addresses.mqtt
  const witness = await logInRaw(port, { clientId: 'witness', username: 'hub-2' })
  const valid = Buffer.concat([
    generate(
      connectPacket({
        will: { topic: 'v1/hubs/hub-1/status', payload: Buffer.from('{}'), qos: 1, retain: true },
      }),
    ),
    generate(publishPacket({ messageId: 1 })),
    generate(publishPacket({ messageId: 2, qos: 2, payload: Buffer.alloc(300) })),
    generate({ cmd: 'pubrel', messageId: 2 }),
    generate({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'v1/hubs/hub-1/#', qos: 1 }] }),
    generate({ cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['v1/hubs/hub-1/#'] }),
    generate({ cmd: 'pingreq' }),
  ])
  for (let round = 1; round <= 6000; round++) {
    const bytes = Buffer.from(valid)
    // Half of them keep their CONNECT whole, so that the damage is behind the log-in.
    const from = round % 2 === 0 ? 0 : generate(connectPacket()).length + 40
    for (let change = below(4); change >= 0; change--) bytes[from + below(bytes.length - from)] = below(256)
    const client = await openRaw(port)
    client.sendBytes(bytes)
    client.stream.end()
    await client.untilClosed()
    witness.send(publishPacket({ messageId: round, topic: 'v1/hubs/hub-2/readings' }))
    await witness.next('puback', round)
  }
  await until(() => broker.openConnections() === 1, `only the witness is left (seed ${seed})`)
  await until(() => broker.connectedHubs() === 1, `the books agree (seed ${seed})`)
  expect(broker.heldBytes(), `seed ${seed}`).toBe(0)
})
