/** Packet ids and the DUP flag are the client's bookkeeping: what is stored depends on device and time alone. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { closeAll, logInRaw, publishPacket } from '../broker/testing.ts'
import { connectRaw, logInFields } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { readingsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'
import { startTcpProxy } from './testing/tcp-proxy.ts'

const AT_MS = Date.UTC(2026, 0, 1)

let service: TestService
let devices = 0
/** A device that no other test uses. */
let device: string

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(() => {
  device = northDevice(devices++)
})
afterEach(closeAll)
afterAll(() => service.close())

function message(messageId: number, atMs: number, dup = false) {
  const payload = JSON.stringify({ device, at: atMs, temperature: 4 })
  return publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, messageId, dup, payload })
}

test('stored, but the PUBACK is lost with the connection: sent again with DUP and the same id, stored once', async () => {
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: service.mqttPort })
  const fields = { ...logInFields(service, NORTH_HUB), clientId: 'resends', clean: false }
  const cut = await logInRaw(proxy.port, fields)
  proxy.setFaults({ toClient: { isBlackHole: true } })
  cut.send(message(5, AT_MS))
  await until('it is stored', async () => (await readingsOf(service, device)).length === 1)
  proxy.reset()
  await cut.untilClosed()
  expect(cut.all('puback')).toEqual([])
  const again = await connectRaw(service, NORTH_HUB, fields)
  again.send(message(5, AT_MS, true))
  expect((await again.next('puback')).messageId).toBe(5)
  expect(await readingsOf(service, device)).toHaveLength(1)
  await proxy.close()
})

test.each([
  ['one after the other', false],
  ['with DUP', true],
])('another message with the id of one that was acknowledged, %s: both are stored', async (_words, dup) => {
  const hub = await connectRaw(service, NORTH_HUB)
  hub.send(message(5, AT_MS))
  await hub.next('puback', 1)
  hub.send(message(5, AT_MS + 1, dup))
  await hub.next('puback', 2)
  expect(await readingsOf(service, device)).toHaveLength(2)
})

test('messages in flight with the same id, which MQTT forbids: all are stored and acknowledged', async () => {
  const hub = await connectRaw(service, NORTH_HUB)
  hub.send(...[0, 1, 2].map((n) => message(5, AT_MS + n)))
  await hub.next('puback', 3)
  expect(await readingsOf(service, device)).toHaveLength(3)
})
