import { afterEach, describe, expect, test } from 'vitest'
import {
  closeAll,
  connectClient,
  connectPacket,
  logInRaw,
  openRaw,
  principalOf,
  publishPacket,
  startBroker,
  until,
} from './testing.ts'

afterEach(closeAll)

describe('the answer to CONNECT', () => {
  test.each([
    ['the right password', {}, 0],
    ['a wrong password', { password: Buffer.from('no') }, 4],
    ['no password', { password: undefined }, 4],
    ['anonymous', { username: undefined, password: undefined }, 5],
    ['MQTT 3.1', { protocolId: 'MQIsdp' as const, protocolVersion: 3 as const }, 0],
    [
      'MQTT 3.1 with a long client id',
      { protocolId: 'MQIsdp' as const, protocolVersion: 3 as const, clientId: 'x'.repeat(24) },
      2,
    ],
    ['a long client id', { clientId: 'x'.repeat(256) }, 0],
    ['a longer one', { clientId: 'x'.repeat(257) }, 2],
    ['no client id and clean session', { clientId: '', clean: true }, 0],
    ['a NUL in the client id', { clientId: 'a\u0000b' }, 2],
    ['a control character in the username', { username: 'hub-1\u0007' }, 4],
    [
      'a will to its own topic',
      { will: { topic: 'v1/hubs/hub-1/status', payload: Buffer.from('{}'), qos: 1 as const, retain: false } },
      0,
    ],
    [
      'a will to the topic of another',
      { will: { topic: 'v1/hubs/hub-2/status', payload: Buffer.from('{}'), qos: 1 as const, retain: false } },
      5,
    ],
    [
      'a will to $SYS',
      { will: { topic: '$SYS/x', payload: Buffer.from('{}'), qos: 0 as const, retain: false } },
      5,
    ],
  ])('%s', async (_what, fields, returnCode) => {
    const { broker, addresses } = await startBroker()
    const client = await openRaw(addresses.mqtt.port)
    client.send(connectPacket(fields))
    expect((await client.next('connack')).returnCode).toBe(returnCode)
    if (returnCode === 0) {
      client.send({ cmd: 'pingreq' })
      await client.next('pingresp')
      expect(broker.counters.logInsAccepted).toBe(1)
    } else {
      await client.untilClosed()
      const reasons = { 2: 'identifier', 4: 'bad_credentials', 5: 'not_authorized' } as const
      const reason = reasons[returnCode as keyof typeof reasons]
      await until(() => broker.counters.logInsRefused[reason] === 1, 'the refusal was counted')
    }
  })

  test('no client id and a session to keep', async () => {
    const { addresses } = await startBroker()
    const client = await openRaw(addresses.mqtt.port)
    // Made by hand: mqtt-packet does not generate it.
    const body = Buffer.from([
      0,
      4,
      ...Buffer.from('MQTT'),
      4,
      0b1100_0000,
      0,
      0,
      0,
      0,
      0,
      5,
      ...Buffer.from('hub-1'),
      0,
      6,
      ...Buffer.from('secret'),
    ])
    client.sendBytes(Buffer.concat([Buffer.from([0x10, body.length]), body]))
    expect((await client.next('connack')).returnCode).toBe(2)
    await client.untilClosed()
  })

  test('MQTT 5 is refused with return code 1', async () => {
    const { broker, addresses } = await startBroker()
    const client = await openRaw(addresses.mqtt.port)
    client.send(connectPacket({ protocolVersion: 5 }))
    expect((await client.next('connack')).returnCode).toBe(1)
    await client.untilClosed()
    expect(broker.counters.logInsRefused.protocol).toBe(1)
  })

  test('a client id that is not UTF-8', async () => {
    const { broker, addresses } = await startBroker()
    const client = await openRaw(addresses.mqtt.port)
    client.send(connectPacket({ clientId: Buffer.from([0x61, 0xff, 0xfe]) as unknown as string }))
    expect((await client.next('connack')).returnCode).toBe(2)
    expect(broker.counters.badStrings).toBe(1)
  })

  test('a log-in that fails or takes too long is refused as unavailable', async () => {
    const { broker, addresses } = await startBroker({
      env: { MQTT_CONNECT_TIMEOUT_MS: '500' },
      authenticate: ({ username }) =>
        username === 'hub-1' ? new Promise(() => {}) : Promise.reject(new Error('database away')),
    })
    for (const username of ['hub-1', 'hub-2']) {
      const client = await openRaw(addresses.mqtt.port)
      client.send(connectPacket({ username }))
      expect((await client.next('connack')).returnCode).toBe(3)
      await client.untilClosed()
    }
    expect(broker.counters.logInsRefused.unavailable).toBe(2)
  })

  test('a log-in that is revoked while it is being checked is refused as unavailable', async () => {
    const revoked = new Set<string>()
    const answers: (() => void)[] = []
    const { broker, addresses, presence } = await startBroker({
      stillValid: ({ username }) => !revoked.has(username),
      authenticate: ({ username = '' }) =>
        new Promise((resolve) => answers.push(() => resolve({ ok: true, principal: principalOf(username) }))),
    })
    const [before, between] = [await openRaw(addresses.mqtt.port), await openRaw(addresses.mqtt.port)]
    before.send(connectPacket())
    between.send(connectPacket({ username: 'hub-2', clientId: 'other' }))
    await until(() => answers.length === 2, 'both are being checked')
    const revoke = (name: string) => {
      revoked.add(name)
      expect(broker.disconnectWhere(({ username }) => username === name)).toBe(0)
    }
    revoke('hub-1')
    for (const answer of answers) answer()
    // Answered, but not on the list of connections yet.
    revoke('hub-2')
    for (const client of [before, between]) {
      expect((await client.next('connack')).returnCode).toBe(3)
      await client.untilClosed()
    }
    expect(presence).toEqual([])
  })

  test('more log-ins at once than the limit are refused as unavailable', async () => {
    const answers: (() => void)[] = []
    const { addresses } = await startBroker({
      // One address has half of them.
      env: { MQTT_UNAUTHENTICATED_MAX: '4' },
      authenticate: ({ username = '' }) =>
        new Promise((resolve) => answers.push(() => resolve({ ok: true, principal: principalOf(username) }))),
    })
    const first = []
    for (const clientId of ['a', 'b']) {
      const client = await openRaw(addresses.mqtt.port)
      client.send(connectPacket({ clientId }))
      first.push(client)
      await until(() => answers.length === first.length, 'the log-in is being checked')
    }
    const third = await openRaw(addresses.mqtt.port)
    third.send(connectPacket({ clientId: 'c' }))
    expect((await third.next('connack')).returnCode).toBe(3)
    for (const answer of answers) answer()
    for (const client of first) expect((await client.next('connack')).returnCode).toBe(0)
  })
})

test('a hundred messages sent right behind CONNECT wait for the log-in and are all acknowledged in order', async () => {
  const { addresses, arrivals } = await startBroker({
    authenticate: async ({ username = '' }) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return { ok: true, principal: principalOf(username) }
    },
  })
  const client = await openRaw(addresses.mqtt.port)
  const messages = Array.from({ length: 100 }, (_, index) =>
    publishPacket({ messageId: index + 1, payload: Buffer.alloc(3_000, index) }),
  )
  client.send(connectPacket(), ...messages)
  await client.next('puback', 100)
  expect(client.all('puback').map(({ messageId }) => messageId)).toEqual(
    messages.map(({ messageId }) => messageId),
  )
  expect(arrivals.map(({ payload }) => payload[0])).toEqual(messages.map((_, index) => index))
  expect(client.received[0]?.cmd).toBe('connack')
})

test('what is sent behind CONNECT by a client that is refused is not accepted', async () => {
  const { addresses, arrivals } = await startBroker()
  const client = await openRaw(addresses.mqtt.port)
  client.send(connectPacket({ password: Buffer.from('no') }), publishPacket(), publishPacket({ qos: 0 }))
  await client.untilClosed()
  expect(arrivals).toEqual([])
})

test('a client that sends everything and hangs up is still heard', async () => {
  const { addresses, arrivals } = await startBroker()
  const client = await openRaw(addresses.mqtt.port)
  client.send(connectPacket(), publishPacket({ qos: 0 }), { cmd: 'disconnect' })
  client.stream.end()
  await until(() => arrivals.length === 1, 'the message arrived')
})

test('another user with the same client id gets neither the session nor the messages', async () => {
  const { broker, addresses } = await startBroker()
  const { port } = addresses.mqtt
  const owner = await logInRaw(port, { clientId: 'shared', clean: false })
  owner.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'v1/hubs/hub-1/commands', qos: 1 }] })
  await owner.next('suback')
  const other = await logInRaw(port, { clientId: 'shared', clean: false, username: 'hub-2' })
  expect(other.all('connack')[0]?.sessionPresent).toBe(false)
  // The owner was not thrown out either.
  await broker.publish({ topic: 'v1/hubs/hub-1/commands', payload: 'one', qos: 1, retain: false })
  await owner.next('publish')
  await owner.close()
  await until(() => broker.connectedHubs() === 1, 'the owner is gone')
  await broker.publish({ topic: 'v1/hubs/hub-1/commands', payload: 'two', qos: 1, retain: false })
  await other.close()
  const again = await logInRaw(port, { clientId: 'shared', clean: false, username: 'hub-2' })
  again.send({ cmd: 'pingreq' })
  await again.next('pingresp')
  expect(other.all('publish')).toEqual([])
  expect(again.all('publish')).toEqual([])

  const back = await logInRaw(port, { clientId: 'shared', clean: false })
  expect(back.all('connack')[0]?.sessionPresent).toBe(true)
  await back.next('publish', 2)
  expect(back.all('publish').map(({ payload }) => payload.toString())).toEqual(['one', 'two'])
  expect(broker.counters.takeovers).toBe(0)
})

test('the same user with the same client id takes over, whoever is closing', async () => {
  const { broker, addresses, presence } = await startBroker({ env: { MQTT_TAKEOVERS_PER_MINUTE_MAX: '100' } })
  const { port } = addresses.mqtt
  const clients = await Promise.all(Array.from({ length: 20 }, () => openRaw(port)))
  for (const client of clients) client.send(connectPacket({ clientId: 'same' }))
  await until(() => clients.filter(({ closed }) => closed).length === 19, 'all but one are closed')
  const [left] = clients.filter(({ closed }) => !closed)
  left?.send(publishPacket())
  await left?.next('puback')
  expect(broker.counters.takeovers).toBe(19)
  expect(broker.connectedHubs()).toBe(1)
  // Never told that it was the last one, since the next had always logged in.
  await until(() => presence.length === 39, 'presence was told')
  await left?.close()
  await until(() => broker.connectedHubs() === 0, 'none is left')
  expect(presence.filter((entry) => entry.endsWith('last'))).toEqual(['-hub-1 last'])
})

test('presence is told of the last connection of a username only', async () => {
  const { broker, addresses, presence } = await startBroker()
  const first = await connectClient(addresses.mqtt.port, { clientId: 'one' })
  const second = await connectClient(addresses.mqtt.port, { clientId: 'two' })
  await connectClient(addresses.mqtt.port, { clientId: 'three', username: 'operator:demo' })
  expect(broker.connectedHubs()).toBe(1)
  await first.endAsync()
  await until(() => presence.length === 4, 'the first is gone')
  await second.endAsync()
  await until(() => presence.length === 5, 'the second is gone')
  expect(presence).toEqual(['+hub-1', '+hub-1', '+operator:demo', '-hub-1', '-hub-1 last'])
  expect(broker.connectedHubs()).toBe(0)
})

test('disconnectWhere ends the connections of a revoked log-in and no other', async () => {
  const { broker, addresses } = await startBroker()
  const { port } = addresses.mqtt
  const [one, two, other] = [
    await logInRaw(port, { clientId: 'one' }),
    await logInRaw(port, { clientId: 'two' }),
    await logInRaw(port, { clientId: 'one', username: 'hub-2' }),
  ]
  expect(broker.disconnectWhere(({ username }) => username === 'hub-1')).toBe(2)
  await Promise.all([one.untilClosed(), two.untilClosed()])
  other.send(publishPacket({ topic: 'v1/hubs/hub-2/readings' }))
  await other.next('puback')
  await until(() => broker.connectedHubs() === 1, 'the revoked are gone')
  expect(broker.disconnectWhere(({ username }) => username === 'hub-1')).toBe(0)
})

test('nothing more is taken of a connection that was ended, also of what had come before', async () => {
  const held: (() => void)[] = []
  let ended = false
  const after: string[] = []
  const { broker, addresses } = await startBroker({
    env: { MQTT_HELD_BYTES_MAX: '1000000' },
    accept: ({ topic }, done) => {
      if (ended) after.push(topic)
      held.push(done)
    },
  })
  const client = await logInRaw(addresses.mqtt.port)
  const payload = Buffer.alloc(500)
  client.send(
    ...Array.from({ length: 2_000 }, (_, index) => publishPacket({ messageId: index + 1, payload })),
  )
  await until(() => broker.waitingConnections() === 1, 'it waits for its turn')
  ended = true
  broker.disconnectWhere(() => true)
  // Room for what waits; it is asked in the same turn, before the socket is closed.
  for (const done of held.splice(0)) done()
  await until(() => broker.openConnections() === 0, 'it is gone')
  expect(after).toEqual([])
  expect(broker.heldBytes()).toBe(0)
})
