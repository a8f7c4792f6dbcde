/** A service that has served before starts while its database is away: hubs come in, nothing is lost, all is stored once. */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  closeAll,
  connectPacket,
  logInRaw,
  openRaw,
  publishPacket,
  type RawClient,
} from '../broker/testing.ts'
import {
  READY,
  runMain,
  type ServiceProcess,
  STARTED_AWAY,
  startProcess,
} from '../contract/testing/process.ts'
import { readMetric, readReadyz } from '../contract/testing/status-page.ts'
import { nextTime } from '../contract/testing/times.ts'
import { readMigrations } from '../db/migration-files.ts'
import { saveReceipts } from '../db/receipts.ts'
import { createTestFleet, TEST_SECRET, type TestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { databaseUrl, execute } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { startTestServer, type TestServer } from '../db/testing/test-server.ts'
import { untilSettled } from './testing/settled.ts'
import { startUrlProxy, type TcpProxy } from './testing/tcp-proxy.ts'

const [HUB, OTHER_HUB] = ['cold-hub-1', 'cold-hub-2']

let server: TestServer
let proxy: TcpProxy
/** The way to the database that the service takes. */
let proxyUrl: string
let pool: Pool
let fleet: TestFleet
let folder: string
/** What the service kept when it had its database. */
let snapshot: string
/** Of the present test: the service's settings, with a DATA_DIR of its own. */
let env: ReturnType<typeof settings>
let service: ServiceProcess
let tests = 0
let messageId = 0

beforeAll(async () => {
  server = await startTestServer({ migrate: true })
  pool = new Pool({ connectionString: server.url })
  // The server is stopped under it.
  pool.on('error', () => {})
  fleet = await createTestFleet(pool, { slug: 'cold', hubs: 2, devices: 2, euiPrefix: 'a8' })
  const through = await startUrlProxy(server.url)
  proxy = through.proxy
  proxyUrl = through.url
  folder = await makeTestFolder()
  env = settings('first')
  await start({}, READY)
  snapshot = join(env.DATA_DIR, 'registry.snapshot')
  await until('the snapshot is written', () => existsSync(snapshot))
  await end('SIGKILL')
})
afterAll(async () => {
  await pool.end()
  await proxy.close()
  await server.remove()
  await removeTestFolder(folder)
})

beforeEach(async () => {
  tests += 1
  env = settings(`data-${tests}`)
  await mkdir(env.DATA_DIR)
  await copyFile(snapshot, join(env.DATA_DIR, 'registry.snapshot'))
  await pool.query('TRUNCATE sensor_readings, pipeline.rejected_messages, pipeline.rejected_payloads')
  await proxy.accept('refuse')
})

afterEach(async () => {
  await closeAll()
  service.signal('SIGKILL')
  await service.ended
})

function settings(name: string) {
  return { DATABASE_URL: proxyUrl, DATA_DIR: join(folder, name), DATABASE_START_WAIT_MS: '600000' }
}

async function start(more: Record<string, string> = {}, says = STARTED_AWAY): Promise<void> {
  service = await startProcess({ ...env, ...more }, says)
}

async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  service.signal(signal)
  expect(await service.ended).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL')
}

const logIn = (username: string) =>
  logInRaw(service.mqttPort, { username, clientId: username, password: Buffer.from(TEST_SECRET) })

async function returnCodeOf(username: string, password: string): Promise<number | undefined> {
  const client = await openRaw(service.mqttPort)
  client.send(connectPacket({ username, clientId: `${username} again`, password: Buffer.from(password) }))
  return (await client.next('connack')).returnCode
}

/** Publishes a reading of this device; returns its time when it is acknowledged. */
async function publish(
  hub: RawClient,
  { device = fleet.devices[0]?.devEui, username = HUB, counted = {} } = {},
): Promise<number> {
  const at = nextTime()
  messageId += 1
  const payload = JSON.stringify({ ...counted, readings: [{ device, at, temperature: 4 }] })
  hub.send(publishPacket({ topic: `v1/hubs/${username}/readings`, payload, messageId }))
  const count = hub.all('puback').length + 1
  expect((await hub.next('puback', count)).messageId).toBe(messageId)
  return at
}

async function storedTimes(): Promise<number[]> {
  const { rows } = await pool.query<{ at: number }>(
    'SELECT round(extract(epoch FROM recorded_at) * 1000)::float8 AS at FROM sensor_readings ORDER BY 1',
  )
  return rows.map(({ at }) => at)
}

async function untilDrained(): Promise<void> {
  await until('it is ready', () => {
    if (service.child.exitCode !== null) throw new Error(`It has ended:\n${service.stderr}`)
    return service.stdout.includes(READY)
  })
  await untilSettled(service)
}

test('away in one way after the other, killed and stopped meanwhile: all is stored once', async () => {
  const times: number[] = []
  await proxy.accept('hang')
  await start({ DATABASE_CONNECT_TIMEOUT_MS: '300' })
  let hub = await logIn(HUB)
  times.push(await publish(hub), await publish(hub))
  await end('SIGKILL')

  await proxy.accept('refuse')
  await start()
  expect(await readReadyz(service)).toMatch(/^503 .*database away: .*ECONNREFUSED/s)
  await until('its log says so', () => /started without the database/.test(service.stderr))
  expect(await readMetric(service, 'frostguard_readings_spooled')).toBe(2)
  hub = await logIn(HUB)
  times.push(await publish(hub))
  await publish(hub, { device: '00000000000000ff' })
  // Server unavailable for who may be new, bad user name or password for who is known.
  expect(await returnCodeOf('cold-hub-9', TEST_SECRET)).toBe(3)
  expect(await returnCodeOf(OTHER_HUB, 'wrong')).toBe(4)
  await end('SIGTERM')

  await server.stop('immediate')
  await proxy.accept('pass')
  await start()
  hub = await logIn(HUB)
  times.push(await publish(hub))
  expect(await readMetric(service, 'frostguard_readings_spooled')).toBe(5)
  expect(service.stdout).not.toContain(READY)
  await server.start()
  await untilDrained()
  times.push(await publish(hub))
  expect(await storedTimes()).toEqual(times)
  expect(await rejected()).toEqual([{ reason: 'unknown_device', client: HUB }])
  expect(await returnCodeOf('cold-hub-9', TEST_SECRET)).toBe(4)
})

test('a revoked log-in is ended when the database is back, and its readings are set aside; receipts go on', async () => {
  const state = {
    boots: [{ boot: 'a', first: 1, seq: 1, missing: [], ahead: [] }],
    forgotten: [],
    current: 'a',
  }
  const hubId = fleet.hubs[0]?.id ?? 0
  await saveReceipts(pool, [{ hubId, boot: 'a', seq: 1, missing: [], state, updatedAtMs: Date.now() }], 0n)
  await pool.query('UPDATE hubs SET deleted_at = now() WHERE key = $1', [OTHER_HUB])
  await start()
  const [hub, revoked] = [await logIn(HUB), await logIn(OTHER_HUB)]
  hub.send({
    cmd: 'subscribe',
    messageId: 1_000,
    subscriptions: [{ topic: `v1/hubs/${HUB}/receipt`, qos: 0 }],
  })
  await hub.next('suback')
  const times = [
    await publish(hub, { counted: { boot: 'a', seq: 2 } }),
    await publish(hub, { counted: { boot: 'a', seq: 4 } }),
  ]
  await publish(revoked, { username: OTHER_HUB })
  expect(hub.all('publish')).toEqual([])

  await proxy.accept('pass')
  await revoked.untilClosed()
  await untilDrained()
  expect(await returnCodeOf(OTHER_HUB, TEST_SECRET)).toBe(4)
  const receipts = () => hub.all('publish').map(({ payload }) => JSON.parse(payload.toString()))
  await until('what was spooled is receipted', () => receipts().at(-1)?.seq === 2)
  times.push(await publish(hub, { counted: { boot: 'a', seq: 3 } }))
  await until('all is receipted', () => receipts().at(-1)?.seq === 4)
  expect(receipts().filter(({ boot, missing }) => boot !== 'a' || missing !== undefined)).toEqual([])
  expect(await storedTimes()).toEqual(times)
  expect(await rejected()).toEqual([{ reason: 'not_your_device', client: OTHER_HUB }])
})

test('a snapshot that is torn, or of another database: the start ends as if nothing were known', async () => {
  const torn = { ...env, DATABASE_START_WAIT_MS: '0' }
  const another = {
    ...torn,
    DATA_DIR: join(folder, 'another'),
    DATABASE_URL: databaseUrl(proxyUrl, 'another'),
  }
  await mkdir(another.DATA_DIR)
  await copyFile(snapshot, join(another.DATA_DIR, 'registry.snapshot'))
  const path = join(torn.DATA_DIR, 'registry.snapshot')
  await truncate(path, (await stat(path)).size - 10)
  const [ofTorn, ofAnother] = await Promise.all([runMain(torn), runMain(another)])

  expect(ofTorn.code).toBe(1)
  expect(ofTorn.stderr).toMatch(/registry\.snapshot is not used: its end is missing/)
  expect(ofTorn.stderr).toMatch(/Cannot reach the database "frostguard"/)
  expect(ofAnother.code).toBe(1)
  expect(ofAnother.stderr).toMatch(
    /is not used: it is of postgres.*\/frostguard, expected postgres.*\/another/,
  )
  expect(ofAnother.stderr).not.toContain(new URL(proxyUrl).password)
})

test('back with a newer schema: it ends with a sentence; read-only: it waits; with an older one: it migrates, then drains', async () => {
  await start()
  const times = [await publish(await logIn(HUB))]
  await pool.query(`INSERT INTO drizzle.migrations (hash, created_at) VALUES ('future', 4102444800000)`)
  await proxy.accept('pass')
  expect(await service.ended).toBe(1)
  expect(service.stderr).toMatch(/schema is newer than this program.*Start the newer version/)
  expect(service.stderr).toContain('FrostGuard cannot go on with its database')
  expect(service.stderr).not.toContain('did not start')
  expect(service.stdout).not.toContain(READY)
  expect(await storedTimes()).toEqual([])

  const migrations = await readMigrations()
  const older = migrations.find(({ tag }) => tag === '0005_ledger_writer')
  await pool.query(`DELETE FROM drizzle.migrations WHERE hash IN ('future', $1)`, [older?.hash])
  await pool.query('ALTER TABLE pipeline.ingest_batches DROP COLUMN writer')
  // A session of its own that may write.
  const writable = `${server.url}?options=-c%20default_transaction_read_only%3Doff`
  await execute(writable, 'ALTER DATABASE frostguard SET default_transaction_read_only = on')
  await start()
  await until('its log says why', () => /started without the database.*read-only/.test(service.stderr))
  times.push(await publish(await logIn(HUB)))
  await execute(writable, 'ALTER DATABASE frostguard RESET default_transaction_read_only')
  await untilDrained()
  expect(await storedTimes()).toEqual(times)
  const applied = await pool.query('SELECT hash FROM drizzle.migrations')
  expect(applied.rows).toHaveLength(migrations.length)
})

test('a standby that is away holds up the commit of a partition: it starts all the same, and goes on when that is over', async () => {
  const settle = 'SELECT pg_reload_conf()'
  const { rows } = await pool.query<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'door_events'::regclass
     ORDER BY inhrelid DESC LIMIT 1`,
  )
  await pool.query(`DROP TABLE ${rows[0]?.name}`)
  await pool.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
  await pool.query(settle)
  try {
    await proxy.accept('pass')
    await start()
    await until('its log says why', () =>
      /started without the database.*synchronous standby/.test(service.stderr),
    )
    const times = [await publish(await logIn(HUB))]
    expect(service.stdout).not.toContain(READY)
    await pool.query('ALTER SYSTEM RESET synchronous_standby_names')
    await pool.query(settle)
    await untilDrained()
    expect(await storedTimes()).toEqual(times)
  } finally {
    await pool.query('ALTER SYSTEM RESET synchronous_standby_names')
    await pool.query(settle)
  }
})

async function rejected() {
  const { rows } = await pool.query('SELECT reason, client FROM pipeline.rejected_messages')
  return rows
}
