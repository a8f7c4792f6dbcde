import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createWebSocketStream, WebSocket } from 'ws'
import {
  closeAll,
  connectClient,
  connectPacket,
  holding,
  logInRaw,
  openRaw,
  openSocket,
  publishPacket,
  RawClient,
  startBroker,
  until,
} from './testing.ts'
import { createAuthority, createCertificate } from './testing-certificates.ts'

const authority = createAuthority('test authority')
const stranger = createAuthority('another authority')
const files = { MQTT_TLS_KEY: '', MQTT_TLS_CERT: '', MQTT_TLS_CA: '' }
let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'frostguard-broker-'))
  const server = createCertificate('localhost', authority)
  const contents = { MQTT_TLS_KEY: server.key, MQTT_TLS_CERT: server.cert, MQTT_TLS_CA: authority.cert }
  for (const [name, content] of Object.entries(contents)) {
    files[name as keyof typeof files] = join(folder, name)
    writeFileSync(join(folder, name), content)
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(closeAll)

describe('TLS', () => {
  const withoutCa = () => ({ MQTT_TLS_KEY: files.MQTT_TLS_KEY, MQTT_TLS_CERT: files.MQTT_TLS_CERT })
  const trust = { ca: authority.cert, checkServerIdentity: () => undefined }

  test('with username and password', async () => {
    const { addresses, arrivals } = await startBroker({ env: withoutCa() })
    const port = addresses.tls?.port ?? 0
    const client = await connectClient(port, { protocol: 'mqtts', ...trust })
    await client.publishAsync('v1/hubs/hub-1/readings', Buffer.alloc(300_000), { qos: 1 })
    expect(arrivals[0]).toMatchObject({ oversizedBytes: 300_000, principal: { username: 'hub-1' } })
    await expect(connectClient(port, { protocol: 'mqtts', password: 'no', ...trust })).rejects.toThrow(
      'Bad username or password',
    )
  })

  test('plain bytes, and a client that says nothing, are turned away', async () => {
    const env = { ...withoutCa(), MQTT_CONNECT_TIMEOUT_MS: '200' }
    const { broker, addresses } = await startBroker({ env })
    const port = addresses.tls?.port ?? 0
    const plain = await openRaw(port)
    plain.send(connectPacket())
    const silent = await openRaw(port)
    await Promise.all([plain.untilClosed(), silent.untilClosed()])
    expect(broker.counters.tlsFailures).toBe(2)
    await until(() => broker.openConnections() === 0, 'none is left')
  })

  test('with a CA the CN of the client certificate is the username, and no password is needed', async () => {
    const logIns: unknown[] = []
    const { addresses, arrivals } = await startBroker({
      env: files,
      authenticate: async (logIn) => {
        logIns.push(logIn)
        const { username = '' } = logIn
        return {
          ok: true,
          principal: { kind: 'hub', name: username, username, organizationId: 1, id: 1, credentialHash: '' },
        }
      },
    })
    const port = addresses.tls?.port ?? 0
    const identity = createCertificate('hub-7', authority)
    const stream = connectTls({ host: '127.0.0.1', port, ...trust, ...identity })
    const client = new RawClient(stream)
    client.send(
      connectPacket({ username: undefined, password: undefined, clientId: 'c' }),
      publishPacket({ topic: 'v1/hubs/hub-7/readings' }),
    )
    await client.next('puback')
    expect(arrivals[0]?.principal.username).toBe('hub-7')
    expect(logIns).toEqual([
      {
        username: 'hub-7',
        certificateName: 'hub-7',
        password: undefined,
        clientId: 'c',
        remoteAddress: '127.0.0.1',
        isLockedOut: false,
      },
    ])

    const other = new RawClient(connectTls({ host: '127.0.0.1', port, ...trust, ...identity }))
    other.send(connectPacket({ username: 'hub-8' }))
    expect((await other.next('connack')).returnCode).toBe(5)
  })

  test('with a CA nobody comes in without a certificate that it has signed', async () => {
    const { broker, addresses } = await startBroker({ env: files })
    const port = addresses.tls?.port ?? 0
    const expired = createCertificate('hub-1', authority, Date.now() - 60_000)
    for (const identity of [{}, createCertificate('hub-1', stranger), expired]) {
      const client = new RawClient(connectTls({ host: '127.0.0.1', port, ...trust, ...identity }))
      client.send(connectPacket())
      await client.untilClosed()
      expect(client.received).toEqual([])
    }
    expect(broker.counters.tlsFailures).toBe(3)
  })

  test('a client that renegotiates again and again is cut off, and nobody else', async () => {
    const { broker, addresses } = await startBroker({ env: withoutCa() })
    const port = addresses.tls?.port ?? 0
    const witness = await connectClient(port, { protocol: 'mqtts', ...trust, clientId: 'witness' })
    const stream = connectTls({ host: '127.0.0.1', port, maxVersion: 'TLSv1.2', ...trust })
    const client = new RawClient(stream)
    client.send(connectPacket())
    await client.next('connack')
    for (let count = 0; count < 10 && !client.closed; count++) {
      await new Promise<void>((resolve) => {
        stream.once('close', resolve)
        stream.renegotiate({}, () => resolve())
      })
    }
    await client.untilClosed()
    await until(() => broker.openConnections() === 1, 'it is gone')
    await witness.publishAsync('v1/hubs/hub-1/readings', '{}', { qos: 1 })
  })

  test('a flood is refused before its handshakes', async () => {
    const env = { ...withoutCa(), MQTT_CONNECTS_PER_ADDRESS_PER_SECOND_MAX: '1' }
    const clock = { now: () => 0, monotonic: () => 0 }
    const { broker, addresses } = await startBroker({ env, clock })
    const port = addresses.tls?.port ?? 0
    const opened = await Promise.allSettled(
      Array.from({ length: 15 }, async () => {
        const stream = connectTls({ host: '127.0.0.1', port, ...trust })
        new RawClient(stream)
        await new Promise((resolve, reject) =>
          stream.once('secureConnect', resolve).once('close', () => reject(new Error('refused'))),
        )
      }),
    )
    expect(opened.filter(({ status }) => status === 'fulfilled').length).toBe(10)
    expect(broker.counters.connectionsRefused.connects_of_address).toBe(5)
    expect(broker.counters.tlsFailures).toBe(0)
  })

  test.each([
    ['a key without a certificate', { MQTT_TLS_KEY: '/x' }, 'MQTT_TLS_CERT'],
    ['a CA alone', { MQTT_TLS_CA: '/x' }, 'MQTT_TLS_KEY'],
    [
      'a file that is not there',
      { MQTT_TLS_KEY: '/no/such/key.pem', MQTT_TLS_CERT: '/x' },
      'MQTT_TLS_KEY=/no/such/key.pem',
    ],
    [
      'a file that is no PEM',
      { MQTT_TLS_KEY: import.meta.filename, MQTT_TLS_CERT: import.meta.filename },
      'belong together',
    ],
    ['a frame limit below the message limit', { MQTT_FRAME_BYTES_MAX: '5000' }, 'MQTT_FRAME_BYTES_MAX=5000'],
  ])('%s is a bad setting', async (_what, env, part) => {
    await expect(startBroker({ env })).rejects.toThrow(part)
  })
})

describe('WebSocket', () => {
  const env = { MQTT_WS_PORT: '0' }

  async function openWebSocket(
    port: number,
    path = '/mqtt',
    protocols: string[] = ['mqtt'],
  ): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return socket
  }

  test('carries the same as TCP', async () => {
    const { broker, addresses, arrivals } = await startBroker({ env })
    const client = await connectClient(addresses.ws?.port ?? 0, { protocol: 'ws', path: '/mqtt' })
    for (const bytes of [10, 256 * 1024, 4 * 1024 * 1024]) {
      await client.publishAsync('v1/hubs/hub-1/readings', Buffer.alloc(bytes), { qos: 1 })
    }
    expect(arrivals.map(({ oversizedBytes }) => oversizedBytes)).toEqual([
      undefined,
      undefined,
      4 * 1024 * 1024,
    ])
    const received: string[] = []
    client.on('message', (_topic, payload) => received.push(payload.toString()))
    await client.subscribeAsync('v1/hubs/hub-1/commands', { qos: 1 })
    await broker.publish({ topic: 'v1/hubs/hub-1/commands', payload: 'x', qos: 1, retain: false })
    await until(() => received.length === 1, 'the command came')
    await client.endAsync()
    await until(() => broker.openConnections() === 0, 'it is gone')
  })

  test('packets may be cut into frames anyhow', async () => {
    const { addresses } = await startBroker({ env })
    const socket = await openWebSocket(addresses.ws?.port ?? 0)
    const client = new RawClient(createWebSocketStream(socket))
    const { generate } = await import('mqtt-packet')
    for (const byte of Buffer.concat([generate(connectPacket()), generate(publishPacket())]))
      socket.send(Buffer.from([byte]))
    await client.next('puback')
  })

  test('waits behind MQTT_HELD_BYTES_MAX as TCP does, and goes on', async () => {
    const { held, accept } = holding()
    const { broker, addresses, arrivals } = await startBroker({
      accept,
      env: { ...env, MQTT_HELD_BYTES_MAX: '200000' },
    })
    const socket = await openWebSocket(addresses.ws?.port ?? 0)
    const client = new RawClient(createWebSocketStream(socket))
    const messages = Array.from({ length: 300 }, (_, index) =>
      publishPacket({ messageId: index + 1, payload: Buffer.alloc(1_000, index) }),
    )
    client.send(connectPacket(), ...messages)
    await until(() => broker.waitingConnections() === 1, 'it waits')
    const answer = setInterval(() => held.shift()?.(), 1)
    await client.next('puback', messages.length)
    clearInterval(answer)
    expect(arrivals.map(({ payload }) => payload[0])).toEqual(messages.map((_, index) => index % 256))
  })

  test('another path, another subprotocol and plain HTTP are refused', async () => {
    const { broker, addresses } = await startBroker({ env })
    const port = addresses.ws?.port ?? 0
    await expect(openWebSocket(port, '/other')).rejects.toThrow('404')
    await expect(openWebSocket(port, '/mqtt', ['chat'])).rejects.toThrow('400')
    await expect(openWebSocket(port, '/mqtt', [])).rejects.toThrow('400')
    expect((await fetch(`http://127.0.0.1:${port}/mqtt`)).status).toBe(426)
    expect(broker.counters.webSocketsRefused).toBe(4)
    const socket = await openWebSocket(port, '/mqtt', ['chat', 'mqttv3.1'])
    expect(socket.protocol).toBe('mqttv3.1')
    socket.terminate()
  })

  test('text, and a large message before the log-in, end the connection', async () => {
    const { broker, addresses } = await startBroker({ env })
    const port = addresses.ws?.port ?? 0
    const text = await openWebSocket(port)
    const closed = new Promise((resolve) => text.once('close', resolve))
    text.send('hello')
    expect(await closed).toBe(1003)
    const large = await openWebSocket(port)
    const ended = new Promise((resolve) => large.once('close', resolve))
    large.send(Buffer.concat([Buffer.from([0x10, 100]), Buffer.alloc(3 * 1024 * 1024)]))
    await ended
    expect(broker.counters.frames.frame_before_log_in).toBe(1)
  })
})

test('a port that is taken is named with its setting', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  await expect(startBroker({ env: { MQTT_PORT: `${port}` } })).rejects.toThrow(
    `MQTT_PORT=${port}: the port is taken`,
  )
  await expect(startBroker({ env: { MQTT_HOST: '203.0.113.1' } })).rejects.toThrow('MQTT_HOST=203.0.113.1')
  server.close()
})

describe('limits of connections', () => {
  test('the oldest socket without a CONNECT makes room, so hubs come in through a flood of idle ones', async () => {
    // One address has half of them.
    const { broker, addresses } = await startBroker({ env: { MQTT_UNAUTHENTICATED_MAX: '10' } })
    const { port } = addresses.mqtt
    const idle: RawClient[] = []
    for (let count = 0; count < 20; count++) {
      const client = new RawClient(await openSocket(port))
      client.sendBytes(Buffer.from([0x10]))
      idle.push(client)
    }
    await until(() => broker.counters.unauthenticatedDropped === 15, 'the oldest were dropped')
    const hub = await logInRaw(port)
    hub.send(publishPacket())
    await hub.next('puback')
    await until(() => idle.filter(({ closed }) => closed).length === 16, 'one more was dropped')
    expect(idle.slice(0, 16).every(({ closed }) => closed)).toBe(true)
  })

  test('a socket without a CONNECT is closed in time', async () => {
    const { broker, addresses } = await startBroker({ env: { MQTT_CONNECT_TIMEOUT_MS: '100' } })
    const client = await openRaw(addresses.mqtt.port)
    client.sendBytes(Buffer.from([0x10, 30]))
    await client.untilClosed()
    await until(() => broker.openConnections() === 0, 'it is gone')
  })

  test('above the limit of connections new ones are refused, and closing makes room', async () => {
    const { broker, addresses } = await startBroker({ env: { MQTT_CONNECTIONS_MAX: '2' } })
    const { port } = addresses.mqtt
    const first = await logInRaw(port, { clientId: 'a' })
    await logInRaw(port, { clientId: 'b' })
    // The reset may come before it knows that it was connected.
    const third = await openRaw(port).catch(() => undefined)
    await third?.untilClosed()
    await until(() => broker.counters.connectionsRefused.connections === 1, 'it was counted')
    await first.close()
    await until(() => broker.openConnections() === 1, 'there is room')
    await logInRaw(port, { clientId: 'c' })
  })
})
