import { afterEach, describe, expect, test } from 'vitest'
import {
  closeAll,
  connectClient,
  holding,
  logInRaw,
  principalOf,
  publishPacket,
  randomSeed,
  seeded,
  startBroker,
  until,
} from './testing.ts'

afterEach(closeAll)

const SUBSCRIBE = {
  cmd: 'subscribe' as const,
  messageId: 1,
  subscriptions: [{ topic: 'v1/hubs/hub-1/commands', qos: 1 as const }],
}

test('an arrival says all that is known of the message', async () => {
  const clock = { now: () => 1_795_174_500_000, monotonic: () => 12.5 }
  const { addresses, arrivals } = await startBroker({ clock })
  const client = await connectClient(addresses.mqtt.port, { clientId: 'kitchen' })
  await client.publishAsync('v1/hubs/hub-1/readings', '{"a":1}', { qos: 1 })
  expect(arrivals).toEqual([
    {
      topic: 'v1/hubs/hub-1/readings',
      route: { kind: 'hub', hub: 'hub-1', channel: 'readings' },
      payload: Buffer.from('{"a":1}'),
      qos: 1,
      dup: false,
      principal: expect.objectContaining({ kind: 'hub', name: 'hub-1' }),
      clientId: 'kitchen',
      isWill: false,
      receivedAt: 1_795_174_500_000,
      arrivedAtMs: 12.5,
    },
  ])
})

describe('acknowledgements', () => {
  test.each([
    [0, undefined],
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('QoS %i is held until done', async (qos, cmd) => {
    const { held, accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(publishPacket({ qos, messageId: 5 }))
    await until(() => arrivals.length === 1, 'it arrived')
    client.send(publishPacket({ qos, messageId: 6 }))
    await until(() => arrivals.length === 2, 'the next one arrived')
    expect(client.received.length).toBe(1)
    expect(broker.heldBytes()).toBeGreaterThan(0)
    for (const done of held) done()
    if (cmd) {
      await client.next(cmd, 2)
      expect(client.all(cmd).map(({ messageId }) => messageId)).toEqual([5, 6])
    }
    expect(broker.heldBytes()).toBe(0)
    client.send({ cmd: 'pingreq' })
    await client.next('pingresp')
  })

  test('each is told of when it is written, with the time since its message arrived', async () => {
    let nowMs = 1_000
    const times: number[] = []
    const { held, accept } = holding()
    const { addresses, arrivals } = await startBroker({
      accept,
      clock: { now: Date.now, monotonic: () => nowMs },
      onAcknowledged: (afterMs) => times.push(afterMs),
    })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(
      publishPacket({ messageId: 1 }),
      publishPacket({ messageId: 2, qos: 2 }),
      publishPacket({ qos: 0 }),
    )
    await until(() => arrivals.length === 3, 'all arrived')
    nowMs = 1_100
    held[2]?.()
    held[1]?.()
    // Durable, but it waits for the one before it.
    expect(times).toEqual([])
    nowMs = 1_300
    held[0]?.()
    expect(times).toEqual([300, 300])
    await client.next('puback')
    await client.next('pubrec')
  })

  test('they keep the order of arrival, whatever the order of done', async () => {
    const seed = randomSeed()
    const random = seeded(seed)
    const { held, accept } = holding()
    const { addresses, arrivals } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    const ids = Array.from({ length: 200 }, (_, index) => index + 1)
    client.send(...ids.map((messageId) => publishPacket({ messageId, qos: messageId % 3 === 0 ? 2 : 1 })))
    await until(() => arrivals.length === 200, 'all arrived')
    while (held.length > 0) held.splice(Math.floor(random() * held.length), 1)[0]?.()
    await client.next('puback', 134)
    await client.next('pubrec', 66)
    const pubacks = client.all('puback').map(({ messageId }) => messageId)
    expect(pubacks, `seed ${seed}`).toEqual(ids.filter((id) => id % 3 !== 0))
    const pubrecs = client.all('pubrec').map(({ messageId }) => messageId)
    expect(pubrecs, `seed ${seed}`).toEqual(ids.filter((id) => id % 3 === 0))
  })

  test('an error ends the connection without an acknowledgement, after those before it', async () => {
    const { held, accept } = holding()
    const { broker, addresses } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(
      publishPacket({ messageId: 1 }),
      publishPacket({ messageId: 2 }),
      publishPacket({ messageId: 3 }),
    )
    await until(() => held.length === 3, 'all arrived')
    held[1]?.(new Error('database away'))
    held[2]?.()
    held[0]?.()
    await client.untilClosed()
    expect(client.all('puback').map(({ messageId }) => messageId)).toEqual([1])
    expect(broker.counters).toMatchObject({ messagesFailed: 1, connectionErrors: 0 })
    expect(broker.heldBytes()).toBe(0)
  })

  test('an accept that throws, and a second done, harm nobody else', async () => {
    const { broker, addresses } = await startBroker({
      accept: (arrival, done) => {
        if (arrival.payload.toString() === 'throw') throw new Error('bug')
        done()
        done()
      },
    })
    const [one, two] = [
      await logInRaw(addresses.mqtt.port, { clientId: 'one' }),
      await logInRaw(addresses.mqtt.port, { clientId: 'two' }),
    ]
    one.send(publishPacket({ payload: Buffer.from('throw') }))
    await one.untilClosed()
    two.send(publishPacket({ messageId: 1 }), publishPacket({ messageId: 2 }))
    await two.next('puback', 2)
    expect(broker.heldBytes()).toBe(0)
  })

  test('a throw while a topic is judged ends its own connection, and nobody else notices', async () => {
    let isBroken = false
    const { addresses } = await startBroker({
      authenticate: async ({ username = '' }) => {
        const name = () => {
          if (isBroken && username === 'hub-1') throw new TypeError('a defect')
          return username
        }
        const principal = Object.defineProperty(principalOf(username), 'name', { get: name })
        return { ok: true, principal }
      },
    })
    const { port } = addresses.mqtt
    const other = await logInRaw(port, { username: 'hub-2' })
    for (const packet of [publishPacket(), SUBSCRIBE]) {
      isBroken = false
      const client = await logInRaw(port)
      isBroken = true
      client.send(packet)
      await client.untilClosed()
      expect(client.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    }
    other.send(publishPacket({ topic: 'v1/hubs/hub-2/readings' }))
    await other.next('puback')
  })

  test('done for a client that has gone is counted and does no harm', async () => {
    const { held, accept } = holding()
    const { broker, addresses } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(...Array.from({ length: 50 }, (_, index) => publishPacket({ messageId: index + 1 })))
    await until(() => held.length === 50, 'all arrived')
    await client.close()
    await until(() => broker.connectedHubs() === 0, 'the broker knows')
    for (const done of held) done()
    expect(broker.counters).toMatchObject({ acknowledgementsDropped: 50, connectionErrors: 0 })
    expect(broker.heldBytes()).toBe(0)
  })

  test('a QoS 2 message that is sent again is accepted again, and the handshake ends', async () => {
    const { broker, addresses, arrivals } = await startBroker({ env: { MQTT_QOS2_IN_FLIGHT_MAX: '3' } })
    const client = await logInRaw(addresses.mqtt.port)
    for (let messageId = 1; messageId <= 10; messageId++) {
      client.send(publishPacket({ qos: 2, messageId }))
      await client.next('pubrec', messageId * 2 - 1)
      client.send(publishPacket({ qos: 2, messageId, dup: true }))
      await client.next('pubrec', messageId * 2)
      client.send({ cmd: 'pubrel', messageId })
      await client.next('pubcomp', messageId)
    }
    expect(arrivals.length).toBe(20)
    expect(broker.counters.qos2InFlightExceeded).toBe(0)
  })

  test('QoS 2 without PUBREL is bounded', async () => {
    const { broker, addresses } = await startBroker({ env: { MQTT_QOS2_IN_FLIGHT_MAX: '3' } })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(...[1, 2, 3, 4].map((messageId) => publishPacket({ qos: 2, messageId })))
    await client.untilClosed()
    await until(() => broker.counters.qos2InFlightExceeded === 1, 'it was counted')
  })
})

test('when too much waits for its commit sockets are not read, and all comes through in the end', async () => {
  const { held, accept } = holding()
  const { broker, addresses, arrivals } = await startBroker({
    accept,
    env: { MQTT_HELD_BYTES_MAX: '100000' },
  })
  const clients = await Promise.all(
    Array.from({ length: 20 }, (_, index) => logInRaw(addresses.mqtt.port, { clientId: `c${index}` })),
  )
  const messages = Array.from({ length: 200 }, (_, index) =>
    publishPacket({ messageId: index + 1, payload: Buffer.alloc(500) }),
  )
  for (const client of clients) client.send(...messages)
  await until(() => broker.counters.readsHeld > 0, 'reading stopped')
  const total = clients.length * messages.length
  // One more chunk may come after the limit is passed, so it is not exact; but far below everything.
  expect(arrivals.length).toBeLessThan(total / 5)
  expect(broker.heldBytes()).toBeLessThan(300_000)
  let most = 0
  while (arrivals.length < total || held.length > 0) {
    for (const done of held.splice(0, 20)) done()
    most = Math.max(most, broker.heldBytes())
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const client of clients) await client.next('puback', messages.length)
  expect(most).toBeLessThan(400_000)
  expect(broker.heldBytes()).toBe(0)
})

describe('what is refused', () => {
  test.each([
    ['the topic of another hub', 'v1/hubs/hub-2/readings'],
    ['a topic of ours', 'v1/hubs/hub-1/commands'],
    ['$SYS', '$SYS/broker/new/clients'],
    ['no data topic', 'hello'],
    ['a NUL', 'v1/hubs/hub-1/readings\u0000'],
    ['100 levels', `${'a/'.repeat(99)}a`],
    ['150 levels', `${'a/'.repeat(149)}a`],
    ['__proto__', 'v1/__proto__/hub-1/readings'],
    ['65,535 bytes', 'x'.repeat(65_535)],
    ['a wildcard', 'v1/hubs/+/readings'],
    ['a wildcard for the rest', 'v1/hubs/hub-1/#'],
    ['a control character', 'v1/hubs/hub-1/readings\u0001'],
    ['a byte order mark', '\ufeffv1/hubs/hub-1/readings'],
    ['an empty level', 'v1/hubs//hub-1/readings'],
    ['a way up', 'v1/hubs/hub-2/../hub-1/readings'],
    ['an escaped slash', 'v1/hubs%2fhub-1/readings'],
  ])('%s', async (_what, topic) => {
    const { broker, addresses, arrivals } = await startBroker()
    for (const qos of [0, 1] as const) {
      const client = await logInRaw(addresses.mqtt.port)
      client.send(publishPacket({ qos, topic }))
      await client.untilClosed()
      expect(client.all('puback')).toEqual([])
    }
    expect(arrivals).toEqual([])
    const { publishesRefused, connectionErrors } = broker.counters
    expect(publishesRefused + connectionErrors).toBe(2)
  })

  test('an operator publishes nothing, and a topic that is not UTF-8 is counted', async () => {
    const { broker, addresses } = await startBroker()
    const operator = await logInRaw(addresses.mqtt.port, { username: 'operator:demo' })
    operator.send(publishPacket({ topic: 'v1/orgs/demo/alerts' }))
    await operator.untilClosed()
    const server = await logInRaw(addresses.mqtt.port, { username: 'ns:x' })
    const topic = Buffer.from([...Buffer.from('v3/app/devices/d'), 0xff, ...Buffer.from('/up')])
    server.send(publishPacket({ topic: topic as unknown as string }))
    await server.untilClosed()
    expect(broker.counters).toMatchObject({ publishesRefused: 2, badStrings: 1 })
  })

  test('it is logged once per client and minute', async () => {
    const lines: string[] = []
    const { pino } = await import('pino')
    let now = 0
    const { broker, addresses } = await startBroker({
      log: pino({ level: 'warn' }, { write: (line) => lines.push(line) }),
      clock: { now: () => 0, monotonic: () => now },
    })
    for (let count = 1; count <= 5; count++) {
      if (count === 5) now = 60_000
      const client = await logInRaw(addresses.mqtt.port)
      client.send(publishPacket({ topic: 'v1/hubs/hub-2/readings' }))
      await client.untilClosed()
    }
    expect(broker.counters.publishesRefused).toBe(5)
    expect(lines.length).toBe(2)
  })
})

test('the retain flag of data is ignored: nothing is kept', async () => {
  const { broker, addresses } = await startBroker()
  const client = await connectClient(addresses.mqtt.port)
  await client.publishAsync('v1/hubs/hub-1/readings', 'kept?', { qos: 1, retain: true })
  expect(broker.counters.retainFlagsIgnored).toBe(1)
  const received: string[] = []
  client.on('message', (topic) => received.push(topic))
  await client.subscribeAsync('v1/hubs/hub-1/#', { qos: 1 })
  await broker.publish({ topic: 'v1/hubs/hub-1/commands', payload: 'x', qos: 1, retain: false })
  await until(() => received.length > 0, 'the command came')
  expect(received).toEqual(['v1/hubs/hub-1/commands'])
})
