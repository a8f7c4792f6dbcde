import { Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import { afterEach, describe, expect, test } from 'vitest'
import { closeAll, holding, logInRaw, publishPacket, type RawClient, startBroker, until } from './testing.ts'
import type { Accept } from './types.ts'

afterEach(closeAll)

const LIMIT = { MQTT_HELD_BYTES_MAX: '1000000' }

/** Sends more messages of this hub than may be held. */
function flood(client: RawClient, hub: string, count = 2_000): void {
  const topic = `v1/hubs/${hub}/readings`
  client.send(
    ...Array.from({ length: count }, (_, index) =>
      publishPacket({ topic, messageId: index + 1, payload: Buffer.alloc(500) }),
    ),
  )
}

/** Answers what is held, and what comes into its place, until it is cleared. */
function answerAll(held: (() => void)[]): NodeJS.Timeout {
  return setInterval(() => {
    for (const done of held.splice(0)) done()
  }, 1)
}

describe('behind held messages', () => {
  test('PINGREQ and SUBSCRIBE are answered, however much came in one piece before them', async () => {
    const { held, accept } = holding()
    const { addresses } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    const messages = Array.from({ length: 1_500 }, (_, index) =>
      publishPacket({ messageId: index + 1, payload: Buffer.alloc(100) }),
    )
    client.send(...messages, { cmd: 'pingreq' })
    await client.next('pingresp')
    client.send({
      cmd: 'subscribe',
      messageId: 9,
      subscriptions: [{ topic: 'v1/hubs/hub-1/receipt', qos: 1 }],
    })
    await client.next('suback')
    expect(held.length).toBe(1_500)
    expect(client.all('puback')).toEqual([])
    for (const done of held) done()
    await client.next('puback', 1_500)
  })
})

describe('when MQTT_HELD_BYTES_MAX is reached', () => {
  test('a username that floods has its share; other hubs, pings and log-ins go on', async () => {
    const { held, accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({ accept, env: LIMIT })
    const { port } = addresses.mqtt
    const floods = await Promise.all(
      ['a', 'b', 'c'].map((clientId) => logInRaw(port, { clientId, username: 'flood' })),
    )
    const hub = await logInRaw(port)
    for (const client of floods) flood(client, 'flood')
    await until(() => broker.waitingConnections() === 3, 'the flood waits')
    expect(broker.heldBytes()).toBeGreaterThan(80_000)
    expect(broker.heldBytes()).toBeLessThan(110_000)
    const before = arrivals.length
    hub.send(publishPacket(), { cmd: 'pingreq' })
    await hub.next('pingresp')
    const late = await logInRaw(port, { username: 'hub-2' })
    late.send(publishPacket({ topic: 'v1/hubs/hub-2/readings' }))
    await until(() => arrivals.length === before + 2, 'the messages of the others arrived')
    expect(broker.counters.readsHeld).toBeGreaterThanOrEqual(3)
    const answer = answerAll(held)
    for (const client of floods) await client.next('puback', 2_000)
    for (const client of [hub, late]) await client.next('puback')
    clearInterval(answer)
    expect(arrivals.length).toBe(6_002)
    expect(broker.heldBytes()).toBe(0)
  })

  test('hubs that drain a backlog leave half of it to the others, however many they are', async () => {
    const held: (() => void)[] = []
    const accept: Accept = (arrival, done) => {
      arrival.isBacklog = arrival.principal.username.startsWith('draining')
      if (arrival.payload.length > 1) held.push(done)
      else done()
    }
    const { broker, addresses, arrivals } = await startBroker({ accept, env: LIMIT })
    const draining = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        logInRaw(addresses.mqtt.port, { username: `draining-${index}`, clientId: `${index}` }),
      ),
    )
    for (const [index, client] of draining.entries()) {
      const topic = `v1/hubs/draining-${index}/readings`
      client.send(publishPacket({ topic, payload: 'x' }))
      await client.next('puback')
      client.send(publishPacket({ topic, messageId: 2, payload: Buffer.alloc(10_000) }))
    }
    await until(() => broker.waitingConnections() > 0, 'some wait')
    const hub = await logInRaw(addresses.mqtt.port)
    const before = arrivals.length
    for (let messageId = 1; messageId <= 3; messageId++) {
      hub.send(publishPacket({ messageId, payload: Buffer.alloc(1_000) }))
    }
    await until(() => arrivals.length === before + 3, 'the messages of the live hub arrived')
    const answer = answerAll(held)
    for (const client of draining) await client.next('puback', 2)
    await hub.next('puback', 3)
    clearInterval(answer)
    expect(broker.heldBytes()).toBe(0)
  })

  test('a message counts until it is acknowledged, also when it is durable before an earlier one', async () => {
    const { held, accept } = holding()
    const { broker, addresses } = await startBroker({ accept })
    const client = await logInRaw(addresses.mqtt.port)
    client.send(publishPacket({ payload: 'x' }))
    await until(() => held.length === 1, 'the first one arrived')
    const ofOne = broker.heldBytes()
    client.send(publishPacket({ messageId: 2, payload: 'x' }))
    await until(() => held.length === 2, 'the second one arrived')
    held[1]?.()
    expect(broker.heldBytes()).toBe(2 * ofOne)
    held[0]?.()
    expect(broker.heldBytes()).toBe(0)
    await client.next('puback', 2)
  })

  test('nobody is cut off for our silence; a half-open client is found when it is read again', async () => {
    const { held, accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({ accept, env: LIMIT })
    const { port } = addresses.mqtt
    // Its PINGREQs come behind held messages and are read.
    const pinging = await logInRaw(port, { keepalive: 1, username: 'hub-2' })
    pinging.send(publishPacket({ topic: 'v1/hubs/hub-2/readings' }))
    const pings = setInterval(() => pinging.send({ cmd: 'pingreq' }), 300)
    // It is not read any more, and silent: its PINGREQ may lie in its socket, or it may have gone.
    const waiting = await logInRaw(port, { keepalive: 1 })
    flood(waiting, 'hub-1')
    await until(() => broker.waitingConnections() === 1, 'it waits')
    const silent = await logInRaw(port, { keepalive: 1, username: 'silent' })
    await silent.untilClosed()
    clearInterval(pings)
    expect([pinging.closed, waiting.closed]).toEqual([false, false])
    const answer = answerAll(held)
    await waiting.next('puback', 2_000)
    await waiting.untilClosed()
    clearInterval(answer)
    expect(arrivals.length).toBe(2_001)
  })

  test('a last will is refused, counted, and there is no other', async () => {
    const { accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({ accept, env: LIMIT })
    const will = {
      topic: 'v1/hubs/hub-1/status',
      payload: Buffer.alloc(9_000),
      qos: 1 as const,
      retain: false,
    }
    const client = await logInRaw(addresses.mqtt.port, { will })
    flood(client, 'hub-1', 100)
    await until(() => broker.waitingConnections() === 1, 'it waits')
    if (client.stream instanceof Socket) client.stream.resetAndDestroy()
    await until(() => broker.counters.willsRefused === 1, 'its will was refused')
    expect(arrivals.filter(({ isWill }) => isWill)).toEqual([])
    // Not at once: a connection is forgotten a turn after its will, which is counted by what that connection may hold.
    await until(() => broker.waitingConnections() === 0, 'nobody waits')
  })

  test('what connections had begun to send is given back when they go', async () => {
    const { broker, addresses } = await startBroker({ env: LIMIT })
    const whole = generate(publishPacket({ payload: Buffer.alloc(50_000) }))
    for (let count = 0; count < 40; count++) {
      const client = await logInRaw(addresses.mqtt.port)
      client.sendBytes(whole.subarray(0, 1_000))
      await until(() => broker.heldBytes() > 50_000, 'it has begun')
      await client.close()
      await until(() => broker.heldBytes() === 0, 'it was given back')
    }
  })
})

test('a message is counted with the memory that accept says it takes', async () => {
  const { held, accept } = holding()
  const { broker, addresses } = await startBroker({
    env: LIMIT,
    accept: (arrival, done) => {
      arrival.decodedBytes = 50_000
      if (arrival.payload.length === 1) done()
      else accept(arrival, done)
    },
  })
  const client = await logInRaw(addresses.mqtt.port)
  for (let messageId = 1; messageId <= 4; messageId++) {
    client.send(publishPacket({ messageId }))
    if (messageId <= 2) await until(() => broker.heldBytes() > messageId * 50_000, 'it is counted')
  }
  await until(() => broker.waitingConnections() === 1, 'the next must wait')
  expect(held.length).toBe(2)
  held.shift()?.()
  held.shift()?.()
  await until(() => held.length === 2, 'the others came')
  for (const done of held) done()
  await client.next('puback', 4)
  expect(broker.heldBytes()).toBe(0)
  client.send(publishPacket({ messageId: 5, payload: Buffer.alloc(1) }))
  await client.next('puback', 5)
  expect(broker.heldBytes()).toBe(0)
})

test('a header in several pieces waits and comes through whole', async () => {
  const { held, accept } = holding()
  const { broker, addresses, arrivals } = await startBroker({ accept, env: { MQTT_HELD_BYTES_MAX: '65536' } })
  const client = await logInRaw(addresses.mqtt.port)
  const messages = Array.from({ length: 60 }, (_, index) =>
    publishPacket({ messageId: index + 1, payload: Buffer.alloc(index % 2 ? 300 : 20_000, index) }),
  )
  const bytes = Buffer.concat(messages.map((message) => generate(message)))
  const answer = setInterval(() => held.shift()?.(), 1)
  for (let at = 0; at < bytes.length; at += 1_999) {
    client.sendBytes(bytes.subarray(at, at + 1_999))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.next('puback', messages.length)
  clearInterval(answer)
  expect(arrivals.map(({ payload }) => [payload.length, payload[0]])).toEqual(
    messages.map(({ payload }) => [payload.length, Buffer.from(payload)[0]]),
  )
  expect(broker.counters.readsHeld).toBeGreaterThan(0)
})

test('slow in a long message is alive: bytes count, not packets', async () => {
  const { broker, addresses, arrivals } = await startBroker()
  const client = await logInRaw(addresses.mqtt.port, { keepalive: 1 })
  const bytes = generate(publishPacket({ payload: Buffer.alloc(300) }))
  let at = 0
  const dribble = setInterval(() => {
    client.sendBytes(bytes.subarray(at, at + 60))
    at += 60
  }, 350)
  await client.next('puback')
  clearInterval(dribble)
  expect(arrivals.length).toBe(1)
  expect(broker.counters.keepaliveTimeouts).toBe(0)
})
