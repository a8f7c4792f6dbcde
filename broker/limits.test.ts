import { connect, type Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  openRaw,
  openSocket,
  principalOf,
  publishPacket,
  RawClient,
  startBroker,
  until,
} from './testing.ts'
import type { LogIn } from './types.ts'

afterEach(closeAll)

/** A log whose lines a test can look at, and a clock that it sets. */
function watched() {
  const lines: { msg: string; [field: string]: unknown }[] = []
  const clock = { nowMs: 0, now: () => 0, monotonic: () => clock.nowMs }
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line)) })
  return { lines, clock, log, linesWith: (part: string) => lines.filter(({ msg }) => msg.includes(part)) }
}

/** Elsewhere the loopback interface has one address only. */
const hasManyAddresses = process.platform === 'linux'

/** Opens a socket from another address of this machine. */
async function openFrom(localAddress: string, port: number): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, localAddress })
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return new RawClient(socket)
}

/** Opens a socket; undefined when it is reset at once. */
async function tryToOpen(port: number): Promise<RawClient | undefined> {
  const socket = await openSocket(port).catch((): Socket | undefined => undefined)
  if (!socket) return undefined
  const client = new RawClient(socket)
  await new Promise((resolve) => setImmediate(resolve))
  return client
}

describe.skipIf(!hasManyAddresses)('connections of one address', () => {
  test('are limited; those of another address are not touched', async () => {
    const { lines, log, clock } = watched()
    const { broker, addresses } = await startBroker({
      log,
      clock,
      env: { MQTT_CONNECTIONS_PER_ADDRESS_MAX: '3' },
    })
    const { port } = addresses.mqtt
    const first = await logInRaw(port, { clientId: 'a' })
    for (const clientId of ['b', 'c']) await logInRaw(port, { clientId })
    for (let count = 0; count < 5; count++) await tryToOpen(port)
    await until(() => broker.counters.connectionsRefused.connections_of_address === 5, 'they were refused')
    const other = await openFrom('127.0.0.2', port)
    other.send(connectPacket({ clientId: 'd' }))
    expect((await other.next('connack')).returnCode).toBe(0)
    await first.close()
    await until(() => broker.openConnections() === 3, 'there is room')
    await logInRaw(port, { clientId: 'e' })
    expect(lines.map(({ address, msg }) => [address, msg])).toEqual([
      ['127.0.0.1', 'connections refused: MQTT_CONNECTIONS_PER_ADDRESS_MAX of this address are open'],
    ])
  })

  test('a second are limited, ten times as many at once, and the next second has room again', async () => {
    const { log, clock } = watched()
    const { broker, addresses } = await startBroker({
      log,
      clock,
      env: { MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX: '2' },
    })
    const { port } = addresses.mqtt
    for (let count = 0; count < 30; count++) await tryToOpen(port)
    const { connectionsRefused } = broker.counters
    await until(() => connectionsRefused.connects_of_address === 10, 'the burst is over')
    await openFrom('127.0.0.2', port)
    expect(connectionsRefused.connects).toBe(0)
    clock.nowMs = 1_000
    for (let count = 0; count < 5; count++) await tryToOpen(port)
    await until(() => connectionsRefused.connects_of_address === 13, 'two were taken')
  })

  test('and of all: a flood of one address does not use up what all may connect', async () => {
    const { log, clock } = watched()
    const { broker, addresses } = await startBroker({
      log,
      clock,
      env: { MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX: '1', MQTT_CONNECTS_PER_SECOND_MAX: '2' },
    })
    const { port } = addresses.mqtt
    for (let count = 0; count < 50; count++) await tryToOpen(port)
    for (let count = 0; count < 10; count++) await openFrom('127.0.0.2', port)
    const { connectionsRefused } = broker.counters
    await until(() => connectionsRefused.connects_of_address === 40, 'the flood was refused')
    expect(connectionsRefused.connects).toBe(0)
    const third = await openFrom('127.0.0.3', port).catch(() => undefined)
    await third?.untilClosed()
    await until(() => connectionsRefused.connects === 1, 'now all have used theirs')
  })
})

test.skipIf(!hasManyAddresses)(
  'idle sockets of one address push out their own, not those of another',
  async () => {
    const { broker, addresses } = await startBroker({ env: { MQTT_UNAUTHENTICATED_MAX: '10' } })
    const { port } = addresses.mqtt
    const hub = await openFrom('127.0.0.2', port)
    const idle = []
    for (let count = 0; count < 30; count++) idle.push(await openRaw(port))
    await until(() => broker.counters.unauthenticatedDropped === 25, 'the oldest of the flood were dropped')
    expect(broker.unauthenticatedConnections()).toBe(6)
    hub.send(connectPacket())
    expect((await hub.next('connack')).returnCode).toBe(0)
  },
)

test.skipIf(!hasManyAddresses)(
  'log-ins of one address that are being checked leave room for another',
  async () => {
    const { addresses } = await startBroker({
      env: { MQTT_UNAUTHENTICATED_MAX: '4' },
      authenticate: ({ username = '' }) =>
        username === 'slow'
          ? new Promise(() => {})
          : Promise.resolve({ ok: true, principal: principalOf(username) }),
    })
    const { port } = addresses.mqtt
    const slow = await Promise.all(Array.from({ length: 6 }, () => openRaw(port)))
    for (const client of slow) client.send(connectPacket({ username: 'slow' }))
    await until(() => slow.filter(({ closed }) => closed).length === 4, 'two are being checked')
    const hub = await openFrom('127.0.0.2', port)
    hub.send(connectPacket())
    expect((await hub.next('connack')).returnCode).toBe(0)
  },
)

test('a CONNECT is limited below a message', async () => {
  const { broker, addresses } = await startBroker({ env: { MQTT_CONNECT_BYTES_MAX: '2000' } })
  const will = { topic: 'v1/hubs/hub-1/status', qos: 1 as const, retain: false }
  const fits = await openRaw(addresses.mqtt.port)
  fits.send(connectPacket({ will: { ...will, payload: Buffer.alloc(1_900) } }))
  expect((await fits.next('connack')).returnCode).toBe(0)
  const large = await openRaw(addresses.mqtt.port)
  large.send(connectPacket({ will: { ...will, payload: Buffer.alloc(2_000) } }))
  await large.untilClosed()
  expect(broker.counters.frames.frame_before_log_in).toBe(1)
})

describe.skipIf(!hasManyAddresses)('wrong log-ins', () => {
  const env = { MQTT_LOG_IN_FAILURES_MAX: '3', MQTT_LOG_IN_FAILURES_PER_ADDRESS_MAX: '10' }

  /** A broker whose `authenticate` knows the secret `secret`, and remembers nothing. */
  async function start() {
    const watch = watched()
    const asked: LogIn[] = []
    const test = await startBroker({
      ...watch,
      env,
      authenticate: async (logIn) => {
        asked.push(logIn)
        const { username = '', password, isLockedOut } = logIn
        if (isLockedOut) return { ok: false, refusal: 'unavailable', reason: 'locked out' }
        return password?.toString() === 'secret'
          ? { ok: true, principal: principalOf(username) }
          : { ok: false, refusal: 'bad_credentials', reason: 'wrong password' }
      },
    })
    const codeOf = async (username: string, password: string, from = '127.0.0.1') => {
      const client = await openFrom(from, test.addresses.mqtt.port)
      client.send(connectPacket({ username, password: Buffer.from(password), clientId: `${asked.length}` }))
      return (await client.next('connack')).returnCode
    }
    return { ...test, ...watch, asked, codeOf }
  }

  test('of one username from one address lock it out from there, counted, and fade', async () => {
    const { broker, clock, codeOf, linesWith } = await start()
    const codes = []
    for (let count = 0; count < 6; count++) codes.push(await codeOf('hub-1', 'no'))
    expect(codes).toEqual([4, 4, 4, 3, 3, 3])
    expect(broker.counters.logInsLockedOut).toBe(3)
    expect(broker.lockedOut()).toBe(1)
    expect(await codeOf('hub-1', 'secret')).toBe(3)
    expect(await codeOf('hub-1', 'secret', '127.0.0.2')).toBe(0)
    expect(await codeOf('hub-2', 'secret')).toBe(0)
    expect(linesWith('locked out').length).toBe(1)
    clock.nowMs = 20_000
    expect(await codeOf('hub-1', 'secret')).toBe(0)
    expect(broker.lockedOut()).toBe(0)
  })

  test('of many usernames lock their address out', async () => {
    const { asked, codeOf } = await start()
    for (let count = 0; count < 30; count++) await codeOf(`guess-${count}`, 'no')
    expect(asked.filter(({ isLockedOut }) => !isLockedOut).length).toBe(10)
    expect(await codeOf('hub-1', 'secret')).toBe(3)
    expect(await codeOf('hub-1', 'secret', '127.0.0.2')).toBe(0)
  })

  test('count also when their check ends after the client has its answer', async () => {
    const answers: (() => void)[] = []
    const { broker, addresses } = await startBroker({
      env: { ...env, MQTT_CONNECT_TIMEOUT_MS: '500' },
      authenticate: () =>
        new Promise((resolve) =>
          answers.push(() => resolve({ ok: false, refusal: 'bad_credentials', reason: 'wrong password' })),
        ),
    })
    for (let count = 0; count < 3; count++) {
      const client = await openRaw(addresses.mqtt.port)
      client.send(connectPacket())
      expect((await client.next('connack')).returnCode).toBe(3)
    }
    for (const answer of answers) answer()
    await until(() => broker.lockedOut() === 1, 'it is locked out')
  })

  test('right ones, however many, lock nobody out', async () => {
    const { broker, codeOf } = await start()
    for (let count = 0; count < 40; count++) expect(await codeOf('hub-1', 'secret')).toBe(0)
    expect(broker.lockedOut()).toBe(0)
  })
})

describe('two clients with one client id', () => {
  // So long that what is to happen meanwhile does, on a busy machine too.
  const MQTT_TAKEOVER_DELAY_MS = '1000'

  test('throw each other out a few times at once, then slowly: counted and logged once', async () => {
    const { lines, log, clock } = watched()
    const env = { MQTT_TAKEOVERS_PER_MINUTE_MAX: '3', MQTT_TAKEOVER_DELAY_MS }
    const { broker, addresses, presence } = await startBroker({ env, log, clock })
    const { port } = addresses.mqtt
    let holder = await logInRaw(port)
    for (let count = 0; count < 3; count++) {
      const next = await logInRaw(port)
      await holder.untilClosed()
      holder = next
    }
    expect(broker.counters).toMatchObject({ takeovers: 3, takeoversSlowed: 0 })
    for (let count = 1; count <= 2; count++) {
      const next = await openRaw(port)
      const startMs = performance.now()
      next.send(connectPacket())
      await until(() => broker.counters.takeoversSlowed === count, 'it waits')
      // Meanwhile the one that is in gets its work done.
      holder.send(publishPacket({ messageId: count }))
      await holder.next('puback', 1)
      await next.next('connack')
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(999)
      await holder.untilClosed()
      holder = next
    }
    expect(broker.counters.takeovers).toBe(5)
    expect(lines.length).toBe(1)
    await holder.close()
    await until(() => presence.at(-1) === '-hub-1 last', 'all are gone')
    expect(presence.filter((entry) => entry.endsWith('last')).length).toBe(1)
  })

  test('the newest of many that wait gets the session; the others end at once', async () => {
    const { broker, addresses } = await startBroker({
      env: { MQTT_TAKEOVERS_PER_MINUTE_MAX: '1', MQTT_TAKEOVER_DELAY_MS },
    })
    const { port } = addresses.mqtt
    await logInRaw(port)
    const holder = await logInRaw(port)
    const waiting = []
    for (let count = 1; count <= 5; count++) {
      const client = await openRaw(port)
      client.send(connectPacket())
      await until(() => broker.counters.takeoversSlowed === count, 'it waits')
      waiting.push(client)
    }
    const newest = waiting.at(-1)
    await newest?.next('connack')
    expect(waiting.map(({ closed }) => closed)).toEqual([true, true, true, true, false])
    await holder.untilClosed()
    newest?.send(publishPacket())
    await newest?.next('puback')
    expect(broker.counters.takeovers).toBe(2)
    expect(broker.connectedHubs()).toBe(1)
  })

  test('one that goes while it waits leaves the session where it is', async () => {
    const { broker, addresses } = await startBroker({
      env: { MQTT_TAKEOVERS_PER_MINUTE_MAX: '1', MQTT_TAKEOVER_DELAY_MS },
    })
    const { port } = addresses.mqtt
    const [holder, other] = [await duel(port, 'hub-1'), await duel(port, 'hub-2')]
    const gone = await openRaw(port)
    gone.send(connectPacket())
    await until(() => broker.counters.takeoversSlowed === 1, 'it waits')
    await gone.close()
    // It began to wait later, so when its turn has come, that of the first is over.
    await logInRaw(port, { username: 'hub-2' })
    await other.untilClosed()
    expect(holder.closed).toBe(false)
    expect(broker.counters.takeovers).toBe(3)
    holder.send(publishPacket())
    await holder.next('puback')
  })

  /** The client that has its session after the one takeover that is free. */
  async function duel(port: number, username: string): Promise<RawClient> {
    const first = await logInRaw(port, { username })
    const second = await logInRaw(port, { username })
    await first.untilClosed()
    return second
  }
})

test('a hub that flaps is counted, named and logged once; others and operators are not', async () => {
  const { lines, log, clock } = watched()
  const { broker, addresses } = await startBroker({
    log,
    clock,
    env: { MQTT_FLAPPING_LOG_INS_PER_MINUTE: '5' },
  })
  const { port } = addresses.mqtt
  for (const [username, count] of [
    ['hub-1', 12],
    ['hub-2', 3],
    ['operator:demo', 12],
  ] as const) {
    for (let round = 0; round < count; round++) await (await logInRaw(port, { username })).close()
  }
  expect(broker.counters.logInsFlapping).toBe(7)
  expect(broker.flappingHubs()).toEqual(['hub-1'])
  expect(lines).toMatchObject([{ username: 'hub-1' }])
  clock.nowMs = 60_000
  expect(broker.flappingHubs()).toEqual([])
})

describe('protocol levels', () => {
  test.each([
    ['MQTT 5', { protocolVersion: 5 as const }, 1],
    [
      'MQTT 3.1 with a long client id',
      { protocolId: 'MQIsdp' as const, protocolVersion: 3 as const, clientId: 'x'.repeat(24) },
      2,
    ],
    ['a bridge', { bridgeMode: true }, 1],
  ])('%s is refused with its return code, logged once an address and minute', async (_what, fields, code) => {
    const { lines, log, clock } = watched()
    const { broker, addresses } = await startBroker({ log, clock })
    for (let count = 0; count < 5; count++) {
      const client = await openRaw(addresses.mqtt.port)
      client.sendBytes(generate(connectPacket(fields as Parameters<typeof connectPacket>[0])))
      expect((await client.next('connack')).returnCode).toBe(code)
      await client.untilClosed()
    }
    const { protocol, identifier } = broker.counters.logInsRefused
    expect(protocol + identifier).toBe(5)
    expect(lines.length).toBe(1)
  })
})
