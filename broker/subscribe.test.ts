import { generate } from 'mqtt-packet'
import { afterEach, describe, expect, test } from 'vitest'
import type { OwnMessage } from './publish-queue.ts'
import {
  closeAll,
  connectClient,
  logInRaw,
  publishPacket,
  type RawClient,
  randomSeed,
  seeded,
  startBroker,
  type TestBroker,
  until,
} from './testing.ts'

afterEach(closeAll)

function command(payload: string, fields: Partial<OwnMessage> = {}): OwnMessage {
  return { topic: 'v1/hubs/hub-1/commands', payload, qos: 1, retain: false, ...fields }
}

async function subscribe(client: RawClient, ...topics: string[]): Promise<number[]> {
  const count = client.all('suback').length + 1
  client.send({
    cmd: 'subscribe',
    messageId: count,
    subscriptions: topics.map((topic) => ({ topic, qos: 1 as const })),
  })
  return (await client.next('suback', count)).granted as number[]
}

function payloads(client: RawClient): string[] {
  return client.all('publish').map(({ payload }) => payload.toString())
}

async function goneFrom({ broker }: TestBroker, client: RawClient): Promise<void> {
  await client.close()
  await until(() => broker.connectedHubs() === 0, 'the broker knows that it is gone')
}

test('0x80 for every filter that is not its own, and the others are granted', async () => {
  const { broker, addresses } = await startBroker()
  const client = await logInRaw(addresses.mqtt.port)
  const refused = [
    '#',
    '+/#',
    '$SYS/#',
    '$share/x/#',
    'v1/hubs/+/commands',
    'v1/hubs/hub-2/commands',
    'v1/hubs/hub-1/\u0000',
  ]
  const granted = ['v1/hubs/hub-1/commands', 'v1/hubs/hub-1/+']
  expect(await subscribe(client, ...refused, ...granted)).toEqual([...refused.map(() => 0x80), 1, 1])
  expect(broker.counters).toMatchObject({ subscribesRefused: refused.length, badStrings: 1 })
  // Its own arrival shows that no $SYS message and no message of others came before.
  await connectClient(addresses.mqtt.port, { username: 'hub-2' })
  await broker.publish(command('others', { topic: 'v1/hubs/hub-2/commands' }))
  await broker.publish(command('own'))
  await client.next('publish')
  expect(payloads(client)).toEqual(['own'])
})

test('a refused filter in the same packet as a granted one is not kept with the session', async () => {
  const test = await startBroker()
  const client = await logInRaw(test.addresses.mqtt.port, { clean: false })
  expect(await subscribe(client, 'v1/hubs/hub-1/commands', 'v1/hubs/hub-2/commands')).toEqual([1, 0x80])
  await goneFrom(test, client)
  await test.broker.publish(command('others', { topic: 'v1/hubs/hub-2/commands' }))
  await test.broker.publish(command('own'))
  const again = await logInRaw(test.addresses.mqtt.port, { clean: false })
  await again.next('publish')
  expect(payloads(again)).toEqual(['own'])
})

test('the number of subscriptions of a connection is limited, and unsubscribing makes room', async () => {
  const { addresses } = await startBroker({ env: { MQTT_SUBSCRIPTIONS_MAX: '2' } })
  const client = await logInRaw(addresses.mqtt.port, { username: 'operator:demo' })
  const [a, b, c] = ['a', 'b', 'c'].map((name) => `v1/orgs/demo/${name}`) as [string, string, string]
  expect(await subscribe(client, a, b, c)).toEqual([1, 1, 0x80])
  expect(await subscribe(client, a)).toEqual([1])
  client.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: [a] })
  await client.next('unsuback')
  expect(await subscribe(client, c)).toEqual([1])
})

describe('our own messages', () => {
  test('500 of mixed kind, published at once, all arrive in order', async () => {
    const seed = randomSeed()
    const random = seeded(seed)
    const { broker, addresses } = await startBroker()
    const clients = [
      await logInRaw(addresses.mqtt.port, { clientId: 'clean' }),
      await logInRaw(addresses.mqtt.port, { clientId: 'kept', clean: false }),
    ]
    for (const client of clients) await subscribe(client, 'v1/hubs/hub-1/#')
    const sent: Promise<void>[] = []
    for (let index = 0; index < 500; index++) {
      const qos = random() < 0.5 ? 0 : 1
      sent.push(broker.publish(command(`${index}`, { qos, retain: random() < 0.5 })))
      if (random() < 0.05) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(sent)
    const expected = Array.from({ length: 500 }, (_, index) => `${index}`)
    for (const client of clients) {
      await client.next('publish', 500)
      expect(payloads(client), `seed ${seed}`).toEqual(expected)
    }
    expect(broker.counters.ownMessagesPublished).toBe(500)
  })

  test('a retained one is delivered to who subscribes later, the latest only, and an empty one ends it', async () => {
    const { broker, addresses } = await startBroker()
    const topic = 'v1/orgs/demo/units/u1'
    for (const payload of ['old', 'new']) await broker.publish({ topic, payload, qos: 1, retain: true })
    await broker.publish({ topic: 'v1/orgs/demo2/units/u1', payload: 'of another', qos: 1, retain: true })
    for (const filter of [topic, 'v1/orgs/demo/units/+', 'v1/orgs/demo/#']) {
      const client = await logInRaw(addresses.mqtt.port, { username: 'operator:demo', clientId: filter })
      await subscribe(client, filter)
      expect(await client.next('publish')).toMatchObject({ topic, retain: true, payload: Buffer.from('new') })
    }
    await broker.publish({ topic, payload: '', qos: 1, retain: true })
    const client = await logInRaw(addresses.mqtt.port, { username: 'operator:demo' })
    await subscribe(client, 'v1/orgs/demo/#')
    await broker.publish({ topic: 'v1/orgs/demo/alerts', payload: 'alert', qos: 1, retain: false })
    await client.next('publish')
    expect(payloads(client)).toEqual(['alert'])
  })

  test('a full queue refuses, counted', async () => {
    const { broker } = await startBroker({ env: { MQTT_PUBLISH_QUEUE_MAX: '10' } })
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => broker.publish(command('x'))))
    expect(results.filter(({ status }) => status === 'rejected').length).toBe(2)
    expect(broker.counters.ownMessagesRefused).toBe(2)
    await broker.publish(command('room again'))
  })
})

describe('sessions with clean session off', () => {
  test('keep what comes while the hub is away, up to the limit', async () => {
    const test = await startBroker({ env: { MQTT_SESSION_QUEUE_MAX: '3' } })
    const client = await logInRaw(test.addresses.mqtt.port, { clean: false })
    await subscribe(client, 'v1/hubs/hub-1/commands')
    await goneFrom(test, client)
    for (const payload of ['1', '2', '3', '4', '5']) await test.broker.publish(command(payload))
    expect(test.broker.counters.sessionMessagesDropped).toBe(2)
    const again = await logInRaw(test.addresses.mqtt.port, { clean: false })
    await again.next('publish', 3)
    expect(payloads(again)).toEqual(['1', '2', '3'])
  })

  test('send again what was not acknowledged, and not what was', async () => {
    const test = await startBroker()
    const client = await logInRaw(test.addresses.mqtt.port, { clean: false })
    await subscribe(client, 'v1/hubs/hub-1/commands')
    for (const payload of ['acknowledged', 'not']) await test.broker.publish(command(payload))
    const { messageId } = await client.next('publish')
    client.send({ cmd: 'puback', messageId: messageId ?? 0 }, { cmd: 'pingreq' })
    await client.next('pingresp')
    await goneFrom(test, client)
    const again = await logInRaw(test.addresses.mqtt.port, { clean: false })
    await again.next('publish')
    await test.broker.publish(command('later'))
    await again.next('publish', 2)
    expect(payloads(again)).toEqual(['not', 'later'])
  })

  test('a client over the limit that stays connected still gets its messages', async () => {
    const { broker, addresses } = await startBroker({ env: { MQTT_SESSION_QUEUE_MAX: '3' } })
    const client = await logInRaw(addresses.mqtt.port, { clean: false })
    await subscribe(client, 'v1/hubs/hub-1/commands')
    for (let index = 0; index < 10; index++) await broker.publish(command(`${index}`))
    await client.next('publish', 10)
    expect(broker.counters.sessionMessagesDropped).toBe(7)
  })

  test('are few per user: the least recently used is forgotten', async () => {
    const test = await startBroker({ env: { MQTT_SESSIONS_MAX: '2' } })
    const { port } = test.addresses.mqtt
    for (const clientId of ['a', 'b', 'a', 'c']) {
      const client = await logInRaw(port, { clientId, clean: false })
      await subscribe(client, 'v1/hubs/hub-1/commands')
      await goneFrom(test, client)
    }
    expect(test.broker.counters.sessionsForgotten).toBe(1)
    for (const [clientId, kept] of [
      ['b', false],
      ['a', true],
      ['c', true],
    ] as const) {
      const client = await logInRaw(port, { clientId, clean: false })
      expect([clientId, client.all('connack')[0]?.sessionPresent]).toEqual([clientId, kept])
      await goneFrom(test, client)
    }
  })

  test('end when the client comes back with clean session on', async () => {
    const test = await startBroker()
    const { port } = test.addresses.mqtt
    const client = await logInRaw(port, { clean: false })
    await subscribe(client, 'v1/hubs/hub-1/commands')
    await goneFrom(test, client)
    await test.broker.publish(command('kept'))
    await goneFrom(test, await logInRaw(port, { clean: true }))
    const again = await logInRaw(port, { clean: false })
    expect(again.all('connack')[0]?.sessionPresent).toBe(false)
    await subscribe(again, 'v1/hubs/hub-1/commands')
    await test.broker.publish(command('new'))
    await again.next('publish')
    expect(payloads(again)).toEqual(['new'])
  })
})

/** Turns of the event loop, not a time: in each of them the sockets have theirs. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a subscriber that stops reading', () => {
  /** Publishes to it until its socket takes no more. */
  async function freeze({ broker, addresses }: TestBroker): Promise<RawClient> {
    const frozen = await logInRaw(addresses.mqtt.port, { username: 'operator:demo' })
    await subscribe(frozen, 'v1/orgs/demo/#')
    frozen.stream.pause()
    const payload = Buffer.alloc(100_000)
    for (let stuck = false; !stuck; ) {
      const sent = broker.publish({ topic: 'v1/orgs/demo/alerts', payload, qos: 0, retain: false })
      sent.catch(() => {})
      stuck = await Promise.race([sent.then(() => false), turns(60).then(() => true)])
    }
    return frozen
  }

  test('does not slow publishes or the messages to others', async () => {
    const test = await startBroker({ env: { MQTT_DRAIN_TIMEOUT_MS: '60000', MQTT_PUBLISH_QUEUE_MAX: '100' } })
    await freeze(test)
    const hub = await logInRaw(test.addresses.mqtt.port)
    await subscribe(hub, 'v1/hubs/hub-1/commands')
    for (let index = 1; index <= 200; index++) {
      hub.send(publishPacket({ messageId: index }))
      await test.broker.publish(command(`${index}`))
    }
    await hub.next('publish', 200)
    await hub.next('puback', 200)
    expect(test.broker.counters.frozenClientsDropped).toBe(0)
  })

  test('is dropped after the drain timeout, counted', async () => {
    const test = await startBroker({ env: { MQTT_DRAIN_TIMEOUT_MS: '1000' } })
    await freeze(test)
    await until(() => test.broker.counters.frozenClientsDropped === 1, 'it was dropped')
    expect(test.broker.counters.connectionErrors).toBe(0)
    await test.broker.publish({ topic: 'v1/orgs/demo/alerts', payload: 'x', qos: 1, retain: false })
  })
})

test('a client that does not read its acknowledgements is dropped too', async () => {
  const { broker, addresses } = await startBroker({ env: { MQTT_DRAIN_TIMEOUT_MS: '200' } })
  const client = await logInRaw(addresses.mqtt.port)
  client.stream.pause()
  const pings = Buffer.concat(Array.from({ length: 20_000 }, () => generate({ cmd: 'pingreq' })))
  await until(() => {
    if (client.stream.writableLength < 1_000_000) client.sendBytes(pings)
    return broker.counters.frozenClientsDropped === 1
  }, 'it was dropped')
})
