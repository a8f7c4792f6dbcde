/** Thousands of sockets against the service in a process of its own; needs some 15,000 open files. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  openRaw,
  publishPacket,
  type RawClient,
} from '../broker/testing.ts'
import { Crowd } from '../broker/testing-crowd.ts'
import { startProcess } from '../contract/testing/process.ts'
import { readMetrics, sampleOf } from '../contract/testing/status-page.ts'
import { hashSecret } from '../db/credentials.ts'
import { TEST_SECRET } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { compareStored, STORED_ONCE } from './testing/compare.ts'
import { type LoadedService, startLoadedService } from './testing/loaded-service.ts'
import { type Ledger, startPublishers } from './testing/publishers.ts'
import { startTcpProxy, startUrlProxy } from './testing/tcp-proxy.ts'

const HUBS = 1_000
const STALL_SECONDS_MAX = 1
const STALL = 'nodejs_eventloop_lag_max_seconds'
const MIB = 1024 * 1024
/** Later than the readings of the other tests. */
const RESET_FROM_MS = Date.UTC(2026, 10, 20)
const PASSWORD = Buffer.from(TEST_SECRET)

let database: TestDatabase
let service: LoadedService
let port: number
let crowd: Crowd
let longestStallSeconds = 0
let witness: RawClient
let witnessMessages = 0
let atMs = Date.UTC(2026, 0, 1)

beforeAll(async () => {
  database = await createTestDatabase()
  service = await startLoadedService({
    databaseUrl: database.url,
    fleet: { hubs: HUBS, devices: HUBS },
    env: { MQTT_CONNECT_TIMEOUT_MS: '5000' },
  })
  port = service.mqttPort
})
beforeEach(async () => {
  crowd = new Crowd(port)
  await metric(STALL)
  longestStallSeconds = 0
})
afterEach(async () => {
  await crowd.close()
  await closeAll()
  await metric(STALL)
  expect(longestStallSeconds).toBeLessThan(STALL_SECONDS_MAX)
  await until('all have gone', async () => (await metric('frostguard_broker_connections')) === 0)
})
afterAll(async () => {
  await service.close()
  await database.drop()
})

async function metric(name: string): Promise<number> {
  const metrics = await readMetrics(service)
  // It counts from one look at the page to the next.
  longestStallSeconds = Math.max(longestStallSeconds, sampleOf(metrics, STALL))
  return sampleOf(metrics, name)
}

function keyOf(index: number): string {
  return service.fleet.hubs[index % HUBS]?.key ?? ''
}

function connectOf(index: number, fields: Parameters<typeof connectPacket>[0] = {}) {
  return connectPacket({ username: keyOf(index), password: PASSWORD, clientId: keyOf(index), ...fields })
}

function message(index: number, messageId: number) {
  atMs += 1
  const readings = [{ device: service.fleet.devices[index]?.devEui, at: atMs, temperature: 4 }]
  return publishPacket({
    topic: `v1/hubs/${keyOf(index)}/readings`,
    messageId,
    payload: JSON.stringify({ readings }),
  })
}

/** A hub that is connected before the fault begins. */
async function connectWitness(): Promise<void> {
  witness = await logInRaw(port, { username: keyOf(0), password: PASSWORD, clientId: 'witness' })
  witnessMessages = 0
}

/** The witness publishes and is acknowledged. */
async function witnessPublishes(): Promise<void> {
  witnessMessages += 1
  witness.send(message(0, witnessMessages))
  await witness.next('puback', witnessMessages)
}

/** Another hub connects now and publishes. */
async function newHubPublishes(): Promise<void> {
  const hub = await logInRaw(port, { username: keyOf(1), password: PASSWORD, clientId: `new ${atMs}` })
  hub.send(message(1, 1))
  await hub.next('puback')
  await hub.close()
}

describe('many connections', () => {
  test('5,000 idle ones: pings are answered, and a hub publishes beside them', {
    timeout: 180_000,
  }, async () => {
    await connectWitness()
    const before = await metric('process_resident_memory_bytes')
    while (crowd.members.length < 5_000) {
      const clientId = (index: number) => `idle ${crowd.members.length + index}`
      crowd.open(500, (index) => [connectOf(index, { clientId: clientId(index), keepalive: 60 })])
      await until('they are in', () => crowd.count(({ returnCode }) => returnCode !== 0) === 0)
    }
    const eachBytes = ((await metric('process_resident_memory_bytes')) - before) / 5_000
    process.stdout.write(`memory of an idle connection: ${Math.round(eachBytes / 1024)} KiB\n`)
    crowd.send({ cmd: 'pingreq' })
    await until('all have their answer', () => crowd.count(({ receivedBytes }) => receivedBytes < 6) === 0)
    await witnessPublishes()
    await newHubPublishes()
  })

  test.each([
    ['known since the start', false],
    ['with secrets that were not verified since the start', true],
  ])('1,000 hubs behind one address come back at once, %s', async (_words, areNew) => {
    if (areNew) await renewSecrets()
    const startMs = performance.now()
    const waiting = new Set(Array.from({ length: HUBS }, (_, index) => index))
    // A hub that is refused or cut off comes again after a second.
    while (waiting.size > 0) {
      const tried = [...waiting].map((index) => ({
        index,
        member: crowd.open(1, () => [connectOf(index)])[0],
      }))
      await until('all have an answer', () =>
        tried.every(({ member }) => member?.returnCode !== undefined || member?.isClosed === true),
      )
      for (const { index, member } of tried) if (member?.returnCode === 0) waiting.delete(index)
      if (waiting.size > 0) await sleep(1_000)
    }
    process.stdout.write(`1,000 hubs came back in ${Math.round(performance.now() - startMs)} ms\n`)
    expect(await metric('frostguard_hubs_connected')).toBe(HUBS)
    expect(crowd.count(({ returnCode, isClosed }) => returnCode === 0 && isClosed)).toBe(0)
  })

  /** Another hash for the same secret of each hub. */
  async function renewSecrets(): Promise<void> {
    const hashes: string[] = []
    for (let index = 0; index < HUBS; index++) hashes.push(await hashSecret(TEST_SECRET))
    await service.owner.query(
      `UPDATE public.hubs h SET credential_hash = g.hash
       FROM unnest($1::int4[], $2::text[]) AS g (id, hash) WHERE h.id = g.id`,
      [service.fleet.hubs.map(({ id }) => id), hashes],
    )
  }
})

describe('floods', () => {
  test('2,000 sockets that dribble a CONNECT are closed in time; hubs come in meanwhile', {
    timeout: 120_000,
  }, async () => {
    await connectWitness()
    const before = await metric('process_resident_memory_bytes')
    const startMs = performance.now()
    crowd.open(2_000)
    await until('they are open', () => crowd.count(({ isOpen }) => !isOpen) === 0)
    const dribble = setInterval(() => {
      for (const { socket } of crowd.members) if (!socket.destroyed) socket.write(Buffer.from([0x10]))
    }, 2_000)
    await newHubPublishes()
    await witnessPublishes()
    const grown = (await metric('process_resident_memory_bytes')) - before
    process.stdout.write(`memory of 2,000 sockets without a CONNECT: ${Math.round(grown / MIB)} MiB\n`)
    await until('all are closed', () => crowd.count(({ isClosed }) => !isClosed) === 0)
    clearInterval(dribble)
    expect(performance.now() - startMs).toBeGreaterThan(4_000)
    await witnessPublishes()
  })

  test('an announced length of 256 MB is refused by its header', async () => {
    await connectWitness()
    await witnessPublishes()
    const before = await metric('process_resident_memory_bytes')
    for (const header of [
      [0x10, 0xff, 0xff, 0xff, 0x7f],
      [0x30, 0xff, 0xff, 0xff, 0x7f],
    ]) {
      for (let count = 0; count < 20; count++) {
        const client =
          header[0] === 0x10
            ? await openRaw(port)
            : await logInRaw(port, { username: keyOf(2), password: PASSWORD, clientId: `giant ${count}` })
        client.sendBytes(Buffer.from(header))
        for (let sent = 0; sent < 8 && !client.closed; sent++) {
          client.sendBytes(Buffer.alloc(MIB))
          await until('it was taken', () => client.closed || client.stream.writableLength === 0)
        }
        await client.untilClosed()
      }
    }
    await witnessPublishes()
    const grown = (await metric('process_resident_memory_bytes')) - before
    process.stdout.write(`memory after 40 giant packets: ${(grown / MIB).toFixed(1)} MiB\n`)
    expect(grown).toBeLessThan(10 * MIB)
  })

  test('connects as fast as they go for ten seconds are refused beyond the limit; others go on', {
    timeout: 120_000,
  }, async () => {
    await connectWitness()
    const refused = () => metric('frostguard_broker_connections_refused_total{reason="connects_of_address"}')
    const before = await refused()
    const untilMs = performance.now() + 10_000
    let opened = 0
    while (performance.now() < untilMs) {
      const members = crowd.open(200)
      await Promise.race([
        until('they are open or refused', () => members.every(({ isOpen, isClosed }) => isOpen || isClosed)),
        witnessPublishes(),
      ])
      for (const { socket } of members) socket.destroy()
      opened += members.length
    }
    process.stdout.write(`flood: ${Math.round(opened / 10)} connects a second\n`)
    await until('the last are counted', async () => (await refused()) > before)
    await witnessPublishes()
    // Its own address is limited for a while; then hubs of it come in again.
    await until('a hub comes in', () =>
      newHubPublishes().then(
        () => true,
        () => false,
      ),
    )
  })

  test('10,000 wrong passwords: twenty hubs are acknowledged all the while', {
    timeout: 180_000,
  }, async () => {
    const hubs = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        logInRaw(port, { username: keyOf(index), password: PASSWORD, clientId: `real ${index}` }),
      ),
    )
    const verifications = await metric('frostguard_log_in_verifications_total')
    let round = 0
    let isOver = false
    const publishing = (async () => {
      while (!isOver) {
        round += 1
        for (const [index, hub] of hubs.entries()) hub.send(message(index, round))
        await Promise.all(hubs.map((hub) => hub.next('puback', round)))
      }
    })()
    const startMs = performance.now()
    for (let wave = 0; wave < 50; wave++) {
      const members = crowd.open(200, (index) => [
        connectOf(index, {
          username: wave % 2 ? keyOf(index) : `guess-${wave}-${index}`,
          password: Buffer.from('guess'),
        }),
      ])
      await until('all are answered or refused', () => members.every(({ isClosed }) => isClosed))
    }
    const seconds = (performance.now() - startMs) / 1_000
    isOver = true
    await publishing
    const checked = (await metric('frostguard_log_in_verifications_total')) - verifications
    process.stdout.write(
      `10,000 wrong passwords in ${seconds.toFixed(1)} s: ${checked} checked, ${round} rounds of 20 messages acknowledged\n`,
    )
    expect(round).toBeGreaterThan(10)
    // 600 from one address, those under way when it was locked out, what fades meanwhile, and the right ones.
    expect(checked).toBeLessThan(600 + 200 + 10 * seconds + 50)
    expect(hubs.every(({ closed }) => !closed)).toBe(true)
    await newHubPublishes()
  })
})

test('200 hubs that are reset again and again lose nothing that was acknowledged, and are seen to flap', async () => {
  const proxy = await startTcpProxy({ host: '127.0.0.1', port })
  const { fleet } = service
  const ledger: Ledger = { attempted: new Set(), acknowledged: new Set() }
  const publishers = startPublishers({
    // Hubs that are known: the guesses of the test before have locked others of this address out.
    fleet: { ...fleet, hubs: fleet.hubs.slice(0, 200) },
    port: () => proxy.port,
    readingsPerMessage: 3,
    everyMs: 200,
    fromMs: RESET_FROM_MS,
    ledger,
  })
  try {
    while ((await metric('frostguard_broker_hubs_flapping')) < 200) {
      // The service may count them as connected for a moment after a reset.
      await until('all are back', async () => {
        return proxy.open === 200 && (await metric('frostguard_hubs_connected')) === 200
      })
      expect(proxy.reset()).toBeGreaterThan(100)
    }
  } finally {
    await publishers.stop()
    await proxy.close()
  }
  expect(ledger.acknowledged.size).toBeGreaterThan(1_000)
  const { organizationId } = fleet
  const compared = await compareStored(service.owner, { organizationId, fromMs: RESET_FROM_MS }, ledger)
  expect(compared).toMatchObject(STORED_ONCE)
})

test('a hub on a line of 50 bytes a second is served, and holds nothing up', {
  timeout: 180_000,
}, async () => {
  const proxy = await startTcpProxy({ host: '127.0.0.1', port })
  await connectWitness()
  proxy.setFaults({ toTarget: { bytesPerSecond: 50 } })
  const slow = await openRaw(proxy.port)
  slow.send(connectOf(3, { clientId: 'slow', keepalive: 2 }), ...[1, 2, 3].map((id) => message(3, id)))
  const acknowledged = slow.next('puback', 3).then(() => true)
  for (let isDone = false; !isDone; ) {
    await witnessPublishes()
    isDone = await Promise.race([acknowledged, sleep(200, false)])
  }
  expect(slow.closed).toBe(false)
  await proxy.close()
})

test('while the database hangs: pings are answered, hubs log in, and their messages are acknowledged in the end', {
  timeout: 180_000,
}, async () => {
  const { proxy, url } = await startUrlProxy(database.url)
  const other = await startProcess({ DATABASE_URL: url })
  const otherPort = other.mqttPort
  const fields = (index: number) => ({
    username: keyOf(index),
    password: PASSWORD,
    clientId: `c${index}`,
    keepalive: 1,
  })
  const connected = await logInRaw(otherPort, fields(6))
  const pings = setInterval(() => connected.send({ cmd: 'pingreq' }), 300)
  proxy.setFaults({ toTarget: { isBlackHole: true }, toClient: { isBlackHole: true } })
  connected.send(message(6, 1))
  // Its secret is remembered; that of the next is not, but its hash was loaded.
  for (const index of [6, 7]) {
    const client = await logInRaw(otherPort, { ...fields(index), clientId: `again ${index}`, keepalive: 0 })
    expect(client.all('connack')[0]?.returnCode).toBe(0)
    client.send(message(index, 1))
  }
  await connected.next('pingresp', 5)
  expect(connected.closed).toBe(false)
  proxy.setFaults({})
  await connected.next('puback')
  clearInterval(pings)
  await connected.close()
  other.signal('SIGTERM')
  expect(await other.ended).toBe(0)
  await proxy.close()
})
