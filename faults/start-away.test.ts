/** A service that has served before starts while its database is away: hubs come in, nothing is lost, all is stored once. */
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
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
import { nextTime } from '../contract/testing/times.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { createTestFleet, TEST_SECRET, type TestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { databaseUrl, execute } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { startTestServer, type TestServer } from '../db/testing/test-server.ts'
import { startUrlProxy, type TcpProxy } from './testing/tcp-proxy.ts'

const MIGRATIONS = fileURLToPath(new URL('../drizzle', import.meta.url))
const [HUB, OTHER_HUB] = ['cold-hub-1', 'cold-hub-2']

let server: TestServer
let databases = 0
/** Of the present test: its database, the way to it that the service takes, and its fleet. */
let url: string
let proxy: TcpProxy
let env: Record<string, string>
let pool: Pool
let fleet: TestFleet
let folder: string
let service: ServiceProcess
let messageId = 0
const processes: ServiceProcess[] = []

beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.remove())

beforeEach(async () => {
  databases += 1
  const name = `away_${databases}`
  await execute(server.url, `CREATE DATABASE ${name}`)
  url = databaseUrl(server.url, name)
  await migrateDatabase(url)
  pool = openPool()
  fleet = await createTestFleet(pool, { slug: 'cold', hubs: 2, devices: 2, euiPrefix: 'a8' })
  const through = await startUrlProxy(url)
  proxy = through.proxy
  folder = await makeTestFolder()
  env = {
    DATABASE_URL: through.url,
    DATA_DIR: join(folder, 'data'),
    DATABASE_CONNECT_TIMEOUT_MS: '300',
    DATABASE_START_WAIT_MS: '600000',
  }
})

afterEach(async () => {
  await closeAll()
  for (const { child, ended } of processes.splice(0)) {
    child.kill('SIGKILL')
    await ended
  }
  await pool.end()
  await proxy.close()
  await removeTestFolder(folder)
})

function openPool(): Pool {
  const opened = new Pool({ connectionString: url })
  // The server is stopped under it.
  opened.on('error', () => {})
  return opened
}

async function start(says = STARTED_AWAY): Promise<void> {
  service = await startProcess(env, says)
  processes.push(service)
}

async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  service.signal(signal)
  expect(await service.ended).toBe(signal === 'SIGTERM' ? 0 : 'SIGKILL')
}

const snapshotPath = () => join(folder, 'data', 'registry.snapshot')

/** One run of the service with its database; then the database is away for it. */
async function serveOnce(): Promise<void> {
  await start(READY)
  await until('the snapshot is written', () => existsSync(snapshotPath()))
  await end('SIGKILL')
  await proxy.accept('refuse')
}

const mqttPort = () => Number(new URL(service.printed('MQTT')).port)
const get = (path: string) => fetch(new URL(path, service.printed('Status page')))

async function metric(name: string): Promise<number> {
  const line = (await (await get('/metrics')).text()).split('\n').find((text) => text.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1))
}

const logIn = (username: string) =>
  logInRaw(mqttPort(), { username, clientId: username, password: Buffer.from(TEST_SECRET) })

async function returnCodeOf(username: string, password: string): Promise<number | undefined> {
  const client = await openRaw(mqttPort())
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
  await until('it is ready', () => service.stdout.includes(READY))
  await until('the spool is empty', async () => (await metric('frostguard_readings_spooled')) === 0)
  await until('/readyz agrees', async () => (await get('/readyz')).status === 200)
  expect(await metric('frostguard_readings_imbalance')).toBe(0)
}

describe.each([
  ['nothing listens at its port', { away: () => proxy.accept('refuse'), back: () => proxy.accept('pass') }],
  ['its socket hangs', { away: () => proxy.accept('hang'), back: healFromHanging }],
  ['it is stopped', { away: () => server.stop('immediate'), back: () => server.start() }],
])('away: %s', (_words, { away, back }) => {
  test('known hubs publish and are acknowledged, the others are told to come again', async () => {
    await serveOnce()
    await proxy.accept('pass')
    await away()
    await start()
    const ready = await get('/readyz')
    expect(ready.status).toBe(503)
    expect(await ready.text()).toMatch(/database away/)
    expect(service.stderr).toMatch(/started without the database/)

    const hub = await logIn(HUB)
    const times = [await publish(hub), await publish(hub), await publish(hub)]
    const unknown = await publish(hub, { device: '00000000000000ff' })
    expect(await returnCodeOf('cold-hub-9', TEST_SECRET)).toBe(3)
    expect(await returnCodeOf(OTHER_HUB, 'wrong')).toBe(4)
    expect(await metric('frostguard_readings_spooled')).toBe(4)
    expect(service.stdout).not.toContain(READY)

    await back()
    await untilDrained()
    times.push(await publish(hub))
    expect(await storedTimes()).toEqual(times)
    const rejected = await pool.query('SELECT reason, device FROM pipeline.rejected_messages')
    expect(rejected.rows).toEqual([{ reason: 'unknown_device', device: '00000000000000ff' }])
    expect(times).not.toContain(unknown)
    expect(await returnCodeOf('cold-hub-9', TEST_SECRET)).toBe(4)
  })
})

async function healFromHanging(): Promise<void> {
  await proxy.accept('pass')
  proxy.reset()
}

test('killed while it is away and started again, still away: nothing is lost', async () => {
  await serveOnce()
  const times: number[] = []
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
    await start()
    times.push(await publish(await logIn(HUB)))
    await end(signal)
  }
  await start()
  expect(await metric('frostguard_readings_spooled')).toBe(times.length)
  await proxy.accept('pass')
  await untilDrained()
  expect(await storedTimes()).toEqual(times)
})

test('receipts go on from what the database holds, with what was spooled meanwhile', async () => {
  await start(READY)
  await until('the snapshot is written', () => existsSync(snapshotPath()))
  let hub = await logIn(HUB)
  await publish(hub, { counted: { boot: 'a', seq: 1 } })
  await end('SIGKILL')
  await proxy.accept('refuse')
  await start()
  hub = await logIn(HUB)
  hub.send({
    cmd: 'subscribe',
    messageId: 1_000,
    subscriptions: [{ topic: `v1/hubs/${HUB}/receipt`, qos: 0 }],
  })
  await hub.next('suback')
  await publish(hub, { counted: { boot: 'a', seq: 2 } })
  await publish(hub, { counted: { boot: 'a', seq: 4 } })
  expect(hub.all('publish')).toEqual([])
  await proxy.accept('pass')
  await untilDrained()
  await publish(hub, { counted: { boot: 'a', seq: 3 } })
  const receipts = () => hub.all('publish').map(({ payload }) => JSON.parse(payload.toString()))
  await until('all is receipted', () => receipts().at(-1)?.seq === 4)
  expect(receipts().every(({ boot, missing }) => boot === 'a' && missing === undefined)).toBe(true)
  expect(receipts().map(({ seq }) => seq)).not.toContain(3)
})

test('a log-in revoked meanwhile is ended when the database is back, and its readings are set aside', async () => {
  await serveOnce()
  await pool.query('UPDATE hubs SET deleted_at = now() WHERE key = $1', [OTHER_HUB])
  await start()
  const [hub, revoked] = [await logIn(HUB), await logIn(OTHER_HUB)]
  const times = [await publish(hub)]
  await publish(revoked, { username: OTHER_HUB })
  await proxy.accept('pass')
  await revoked.untilClosed()
  await untilDrained()
  expect(await returnCodeOf(OTHER_HUB, TEST_SECRET)).toBe(4)
  times.push(await publish(hub))
  expect(await storedTimes()).toEqual(times)
  const rejected = await pool.query('SELECT reason, client FROM pipeline.rejected_messages')
  expect(rejected.rows).toEqual([{ reason: 'not_your_device', client: OTHER_HUB }])
})

describe('a snapshot that cannot be used', () => {
  beforeEach(() => {
    env['DATABASE_START_WAIT_MS'] = '0'
  })

  test('torn: the start ends as if nothing were known', async () => {
    await serveOnce()
    await truncate(snapshotPath(), (await stat(snapshotPath())).size - 10)
    const { code, stderr } = await runMain(env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/registry\.snapshot is not used: its end is missing/)
    expect(stderr).toMatch(/Cannot reach the database "away_\d+"/)
    await proxy.accept('pass')
    await start(READY)
  })

  test('of another database', async () => {
    await serveOnce()
    env['DATABASE_URL'] = databaseUrl(env['DATABASE_URL'] ?? '', 'another')
    const { code, stderr } = await runMain(env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/is not used: it is of postgres.*away_\d+, expected postgres.*another/)
    expect(stderr).not.toContain(new URL(url).password)
  })
})

describe('a database that comes back with another schema', () => {
  test('newer than the program: it says so and ends, the spool stays', async () => {
    await serveOnce()
    await start()
    const times = [await publish(await logIn(HUB))]
    await pool.query(`INSERT INTO drizzle.migrations (hash, created_at) VALUES ('future', 4102444800000)`)
    await proxy.accept('pass')
    expect(await service.ended).toBe(1)
    expect(service.stderr).toMatch(/schema is newer than this program.*Start the newer version/)
    expect(service.stdout).not.toContain(READY)
    expect(await storedTimes()).toEqual([])

    expect(await runMain(env)).toMatchObject({ code: 1, stderr: expect.stringMatching(/newer than this/) })
    await pool.query(`DELETE FROM drizzle.migrations WHERE hash = 'future'`)
    await start(READY)
    await untilDrained()
    expect(await storedTimes()).toEqual(times)
  })

  test('older: it is migrated before anything is stored', async () => {
    const older = await olderMigrations()
    await serveOnce()
    const name = new URL(url).pathname.slice(1)
    await pool.end()
    await execute(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
    await execute(server.url, `CREATE DATABASE ${name}`)
    await migrateDatabase(url, { folder: older })
    pool = openPool()
    const again = await createTestFleet(pool, { slug: 'cold', hubs: 2, devices: 2, euiPrefix: 'a8' })
    expect(again.hubs).toEqual(fleet.hubs)
    await start()
    const times = [await publish(await logIn(HUB))]
    await proxy.accept('pass')
    await untilDrained()
    expect(await storedTimes()).toEqual(times)
    const applied = await pool.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM drizzle.migrations',
    )
    expect(applied.rows[0]?.count).toBe((await journal(MIGRATIONS)).entries.length)
  })
})

interface Journal {
  entries: unknown[]
}

async function journal(path: string): Promise<Journal> {
  return JSON.parse(await readFile(join(path, 'meta/_journal.json'), 'utf8'))
}

/** The project's migrations without the last one. */
async function olderMigrations(): Promise<string> {
  const path = join(folder, 'older')
  await mkdir(path)
  await cp(MIGRATIONS, path, { recursive: true })
  const { entries, ...rest } = await journal(path)
  await writeFile(
    join(path, 'meta/_journal.json'),
    JSON.stringify({ ...rest, entries: entries.slice(0, -1) }),
  )
  return path
}
