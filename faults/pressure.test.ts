/** Networks and clients that misbehave, against a running service; `pressure.soak.test.ts` has those with thousands of sockets. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { closeAll, connectPacket, logInRaw, openRaw, publishPacket } from '../broker/testing.ts'
import { watchEventLoop } from '../broker/testing-event-loop.ts'
import { connectRaw, logInFields, publish } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice, spareHub } from '../contract/testing/fleet.ts'
import { readingsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { createTestFleet, TEST_SECRET } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { compareStored, STORED_ONCE } from './testing/compare.ts'
import { type Ledger, startPublishers } from './testing/publishers.ts'
import { startTcpProxy, type TcpProxy } from './testing/tcp-proxy.ts'

/** A longer stall of the event loop cuts hubs off. */
const STALL_MS_MAX = 1_000

let service: TestService
let proxy: TcpProxy
let loop: ReturnType<typeof watchEventLoop>

beforeAll(async () => {
  service = await startTestService()
  proxy = await startTcpProxy({ host: '127.0.0.1', port: service.mqttPort })
})
beforeEach(() => {
  loop = watchEventLoop()
})
afterEach(async () => {
  expect(loop.longestStallMs()).toBeLessThan(STALL_MS_MAX)
  proxy.setFaults({})
  await closeAll()
})
afterAll(async () => {
  await proxy.close()
  await service.close()
})

let atMs = Date.UTC(2026, 0, 1)

function reading(device: string) {
  atMs += 1
  return { device, at: atMs, temperature: 4 }
}

function offlineWill(hub: string) {
  const payload = Buffer.from('{"state":"offline"}')
  return { topic: `v1/hubs/${hub}/status`, payload, qos: 1 as const, retain: false }
}

function statusOnline(hub: string) {
  return publishPacket({ topic: `v1/hubs/${hub}/status`, payload: '{"state":"online"}', messageId: 60_000 })
}

async function isOnline(hub: string): Promise<boolean> {
  const [row] = await service.query<{ online: boolean }>(
    'SELECT is_online AS online FROM public.hubs WHERE key = $1',
    [hub],
  )
  return row?.online ?? false
}

test('a half-open hub is found, its last will comes once, and its session is kept', async () => {
  const hub = spareHub(0)
  const fields = { ...logInFields(service, hub), clean: false, keepalive: 1, will: offlineWill(hub) }
  const client = await logInRaw(proxy.port, fields)
  // Until its line is cut it is heard, however long the rest takes.
  let pinged = 0
  const ping = () => {
    pinged += 1
    client.send({ cmd: 'pingreq' })
  }
  const pings = setInterval(ping, 300)
  client.send(statusOnline(hub), {
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic: `v1/hubs/${hub}/commands`, qos: 1 }],
  })
  await client.next('suback')
  await client.next('puback')
  expect(await isOnline(hub)).toBe(true)
  const [wills, timeouts] = [
    'frostguard_broker_wills_accepted_total',
    'frostguard_broker_keepalive_timeouts_total',
  ] as const
  const before = [await service.metric(wills), await service.metric(timeouts)]
  const heardAtMs = performance.now()
  ping()
  clearInterval(pings)
  await client.next('pingresp', pinged)
  proxy.setFaults({ toTarget: { isBlackHole: true }, toClient: { isBlackHole: true } })
  await until('it was found', async () => (await service.metric(timeouts)) > (before[1] ?? 0))
  expect(performance.now() - heardAtMs).toBeGreaterThanOrEqual(1_500)
  await until('it is offline', async () => !(await isOnline(hub)))
  proxy.setFaults({})
  const again = await logInRaw(proxy.port, fields)
  expect(again.all('connack')[0]?.sessionPresent).toBe(true)
  expect([await service.metric(wills), await service.metric(timeouts)]).toEqual(
    before.map((count) => count + 1),
  )
})

test('hubs that are reset again and again lose nothing that was acknowledged, and store nothing twice', async () => {
  const fleet = await createTestFleet(service.db.$client, {
    slug: 'reset',
    hubs: 20,
    devices: 100,
    euiPrefix: 'a1',
  })
  const ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  const publishers = startPublishers({
    fleet,
    port: () => proxy.port,
    readingsPerMessage: 5,
    everyMs: 20,
    ledger,
  })
  onTestFinished(() => publishers.breakOff())
  for (let round = 1; round <= 4; round++) {
    const reached = ledger.acknowledged.size + 500
    await until('they publish', () => ledger.acknowledged.size >= reached)
    expect(proxy.reset()).toBeGreaterThan(0)
  }
  await publishers.stop()
  expect(await compareStored(service.db.$client, fleet, ledger)).toMatchObject(STORED_ONCE)
})

test('two clients with the id of one hub: the last wins, and the hub is not reported offline', async () => {
  const hub = spareHub(1)
  const fields = { ...logInFields(service, hub), clientId: 'same', will: offlineWill(hub) }
  let holder = await logInRaw(service.mqttPort, fields)
  holder.send(statusOnline(hub))
  await holder.next('puback')
  for (let count = 0; count < 5; count++) {
    const next = await logInRaw(service.mqttPort, fields)
    await holder.untilClosed()
    holder = next
  }
  const device = northDevice(3)
  const readings = [reading(device)]
  holder.send(publishPacket({ topic: `v1/hubs/${hub}/readings`, payload: JSON.stringify({ readings }) }))
  await holder.next('puback')
  expect(await isOnline(hub)).toBe(true)
  expect(await readingsOf(service, device)).toHaveLength(1)
})

test('QoS 2 messages without PUBREL, for every packet id there is: the connection ends', async () => {
  const ended = () => service.metric('frostguard_broker_qos2_in_flight_exceeded_total')
  const before = await ended()
  const client = await connectRaw(service, NORTH_HUB, { clientId: 'half-way' })
  const topic = `v1/hubs/${NORTH_HUB}/status`
  for (let from = 1; from < 65_536 && !client.closed; from += 500) {
    client.send(
      ...Array.from({ length: Math.min(500, 65_536 - from) }, (_, index) =>
        publishPacket({ topic, qos: 2, messageId: from + index, payload: Buffer.from('{"state":"online"}') }),
      ),
    )
    await until('the socket took it', () => client.closed || client.stream.writableLength === 0)
  }
  await client.untilClosed()
  await until('it was counted', async () => (await ended()) === before + 1)
})

test('a hundred messages sent behind CONNECT are all stored', async () => {
  const device = northDevice(4)
  const client = await openRaw(service.mqttPort)
  const messages = Array.from({ length: 100 }, (_, index) =>
    publishPacket({
      topic: `v1/hubs/${NORTH_HUB}/readings`,
      messageId: index + 1,
      payload: JSON.stringify({ readings: [reading(device)] }),
    }),
  )
  client.send(connectPacket({ ...logInFields(service, NORTH_HUB), clientId: 'hasty' }), ...messages)
  await client.next('puback', 100)
  expect(await readingsOf(service, device)).toHaveLength(100)
})

test('a hub that floods does not keep twenty others from their acknowledgements', async () => {
  const fleet = await createTestFleet(service.db.$client, {
    slug: 'beside',
    hubs: 21,
    devices: 40,
    euiPrefix: 'a2',
  })
  const [flooding, ...normal] = fleet.hubs
  const password = Buffer.from(TEST_SECRET)
  const flood = await logInRaw(service.mqttPort, { username: flooding?.key ?? '', password })
  const payload = () => {
    const readings = Array.from({ length: 50 }, (_, n) => reading(fleet.devices[n % 40]?.devEui ?? ''))
    return JSON.stringify({ readings })
  }
  let sent = 0
  const send = () => {
    while (flood.stream.writableLength < 1_000_000) {
      sent += 1
      const topic = `v1/hubs/${flooding?.key}/readings`
      flood.send(publishPacket({ topic, payload: payload(), messageId: 1 + (sent % 65_000) }))
    }
  }
  const flooded = setInterval(send, 5)
  const clients = await Promise.all(
    normal.map(({ key }) => logInRaw(service.mqttPort, { username: key, password, clientId: key })),
  )
  for (let round = 1; round <= 3; round++) {
    for (const [index, client] of clients.entries()) {
      const device = fleet.devices[index]?.devEui ?? ''
      const topic = `v1/hubs/${normal[index]?.key}/readings`
      client.send(
        publishPacket({ topic, messageId: round, payload: JSON.stringify({ readings: [reading(device)] }) }),
        { cmd: 'pingreq' },
      )
    }
    await Promise.all(clients.map((client) => client.next('puback', round)))
    await Promise.all(clients.map((client) => client.next('pingresp', round)))
  }
  clearInterval(flooded)
  await flood.next('puback')
  await flood.close()
})

test('wrong passwords from the address of real hubs: these go on, and reconnect', async () => {
  const hub = await service.connect(NORTH_HUB, { clientId: 'real' })
  const verifications = () => service.metric('frostguard_log_in_verifications_total')
  const before = await verifications()
  const device = northDevice(5)
  const guess = async (index: number) => {
    const client = await openRaw(service.mqttPort)
    const username = index % 2 ? NORTH_HUB : `guess-${index % 8}`
    client.send(connectPacket({ username, password: Buffer.from(`guess ${index}`), clientId: `${index}` }))
    await client.next('connack')
    await client.close()
  }
  const topic = `v1/hubs/${NORTH_HUB}/readings`
  for (let round = 0; round < 6; round++) {
    await Promise.all([
      ...Array.from({ length: 40 }, (_, index) => guess(index)),
      publish(hub, topic, { readings: [reading(device)] }),
    ])
  }
  const again = await service.connect(NORTH_HUB, { clientId: 'again' })
  await publish(again, topic, { readings: [reading(device)] })
  expect(await readingsOf(service, device)).toHaveLength(7)
  // Ten a minute for each of five usernames, and what fades meanwhile.
  expect((await verifications()) - before).toBeLessThan(100)
  expect(await service.metric('frostguard_broker_log_ins_locked_out_total')).toBeGreaterThan(100)
})
