/** docs/protocol.md, "MQTT": TLS and WebSocket, when configured. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { connectAsync, type IClientOptions } from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, connectClient, connectPacket, RawClient } from '../broker/testing.ts'
import { createAuthority, createCertificate } from '../broker/testing-certificates.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { logInFields, publish } from './testing/clients.ts'
import { NORTH_HUB, northDevice, SOUTH_HUB } from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const authority = createAuthority('test authority')
const ofServer = createCertificate('127.0.0.1', authority)
const ofHub = createCertificate(NORTH_HUB, authority)
const ofStranger = createCertificate(NORTH_HUB, createAuthority('another authority'))
const ofNobody = createCertificate('hub-nowhere', authority)

let service: TestService
let folder: string
let tls: { MQTT_TLS_KEY: string; MQTT_TLS_CERT: string }

beforeAll(async () => {
  folder = await makeTestFolder()
  tls = { MQTT_TLS_KEY: await pem('key', ofServer.key), MQTT_TLS_CERT: await pem('cert', ofServer.cert) }
})
afterEach(closeAll)
afterAll(() => removeTestFolder(folder))

async function pem(name: string, text: string): Promise<string> {
  const path = join(folder, `${name}.pem`)
  await writeFile(path, text)
  return path
}

function overTls(options: IClientOptions) {
  const port = Number(new URL(service.address('tls')).port)
  // For Node's TLS: the test certificates name no address, only a CN.
  const unnamed = { checkServerIdentity: () => undefined }
  return connectClient(port, { protocol: 'mqtts', ca: authority.cert, ...unnamed, ...options })
}

describe('TLS with key and certificate, WebSocket with a port', () => {
  beforeAll(async () => {
    service = await startTestService({ env: { ...tls, MQTT_WS_PORT: '0' } })
  })
  afterAll(() => service.close())

  test('over TLS a hub logs in and publishes', async () => {
    const hub = await overTls({ username: NORTH_HUB, password: service.secretOf(NORTH_HUB) })
    await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, {
      device: northDevice(0),
      at: nextTime(),
      temperature: 1,
    })
    expect(await readingsOf(service, northDevice(0))).toHaveLength(1)
  })

  test('over TLS a wrong secret is refused too', async () => {
    await expect(overTls({ username: NORTH_HUB, password: 'wrong' })).rejects.toMatchObject({ code: 4 })
  })

  test('over WebSocket, path /mqtt, a hub logs in and publishes', async () => {
    const address = service.address('webSocket')
    expect(new URL(address).pathname).toBe('/mqtt')
    const hub = await connectAsync(address, {
      username: NORTH_HUB,
      password: service.secretOf(NORTH_HUB),
      protocolVersion: 4,
      reconnectPeriod: 0,
    })
    await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, {
      device: northDevice(1),
      at: nextTime(),
      temperature: 1,
    })
    expect(await readingsOf(service, northDevice(1))).toHaveLength(1)
    await hub.endAsync(true)
  })

  test('another path of the WebSocket port is refused', async () => {
    const { host } = new URL(service.address('webSocket'))
    const response = await fetch(`http://${host}/other`)
    expect(response.ok).toBe(false)
  })
})

describe('mutual TLS', () => {
  beforeAll(async () => {
    const env = { ...tls, MQTT_TLS_CA: await pem('ca', authority.cert) }
    service = await startTestService({ env })
  })
  afterAll(() => service.close())

  /** Sends a CONNECT over TLS with this certificate. */
  async function logIn(certificate: { key: string; cert: string } | undefined, fields: object) {
    const port = Number(new URL(service.address('tls')).port)
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      ca: authority.cert,
      checkServerIdentity: () => undefined,
      ...certificate,
    })
    const client = new RawClient(socket)
    client.send(connectPacket({ username: undefined, password: undefined, ...fields }))
    return client
  }

  test("the certificate's CN is the username: no password is needed", async () => {
    const hub = await overTls({ ...ofHub, username: undefined, password: undefined })
    await publish(hub, `v1/hubs/${NORTH_HUB}/readings`, {
      device: northDevice(0),
      at: nextTime(),
      temperature: 1,
    })
    expect(await readingsOf(service, northDevice(0))).toHaveLength(1)
  })

  test('it may be repeated as the username', async () => {
    const client = await logIn(ofHub, { username: NORTH_HUB })
    expect((await client.next('connack')).returnCode).toBe(0)
  })

  test('another username is refused, even with its secret', async () => {
    const client = await logIn(ofHub, logInFields(service, SOUTH_HUB))
    expect((await client.next('connack')).returnCode).toBe(5)
    await client.untilClosed()
  })

  test('a CN that nobody may log in with is refused', async () => {
    const client = await logIn(ofNobody, {})
    expect((await client.next('connack')).returnCode).toBe(4)
  })

  test.each([
    ['no certificate', undefined],
    ['a certificate of another authority', ofStranger],
  ])('%s: the connection ends before MQTT', async (_words, certificate) => {
    const client = await logIn(certificate, logInFields(service, NORTH_HUB))
    await client.untilClosed()
    expect(client.received).toEqual([])
  })

  test('over TCP the username and secret are asked for as ever', async () => {
    await service.connect(NORTH_HUB)
  })
})
