/**
 * The whole pipeline through a real PgBouncer in transaction mode, with the configuration that is deployed
 * (deploy/pgbouncer), and with fewer server connections than the service has connections to it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { copyAtOnce } from '../db/batches/copy-at-once.ts'
import { onConnection } from '../db/batches/transaction.ts'
import { createDatabase } from '../db/client.ts'
import { openDatabaseServer } from '../db/database-server.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, execute, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { together } from '../db/together.ts'
import { interpolate, serviceOf } from '../deploy/testing/compose.ts'
import { STORED_ONCE } from '../faults/testing/compare.ts'
import { startLoadedService } from '../faults/testing/loaded-service.ts'
import { untilSettled } from '../faults/testing/settled.ts'
import { readServiceSettings } from '../service/service.ts'
import { collect, publish, type Receipt, type RejectAnswer, received, runProgram } from './testing/clients.ts'
import { NORTH_HUB, northDevice, rivalFleet, UNKNOWN_DEVICE } from './testing/fleet.ts'
import { hasPgBouncer, type PgBouncer, startPgBouncer, withChanges } from './testing/pgbouncer.ts'
import { runFleetApply, runMain } from './testing/process.ts'
import { hasProgram } from './testing/programs.ts'
import { doorEventsOf, readingsOf, rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const SKIPPED = hasPgBouncer ? '' : ' (skipped: the program pgbouncer is not installed)'
/** Less than the service's COPY lanes and one connection more. */
const POOL_SIZE = 2
const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`

/** The server has other tests' databases too. */
const OUR_ADVISORY_LOCKS = `locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** Drawn anew each run and printed with the test's name; to repeat a run, write its numbers here. */
const PAUSES_MS = Array.from({ length: 3 }, () => Math.floor(200 + Math.random() * 600))
const AWAY_MS = Array.from(PAUSES_MS, () => Math.floor(50 + Math.random() * 400))

let database: TestDatabase
let pooler: PgBouncer
let service: TestService

afterEach(closeAll)

const direct = async <Row extends object>(sql: string): Promise<Row[]> => {
  const client = new Client({ connectionString: database.url })
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end()
  }
}

/** PgBouncer's view of the connections to this test's database. */
async function connections(kind: 'CLIENTS' | 'SERVERS') {
  const name = new URL(database.url).pathname.slice(1)
  return (await pooler.show(kind)).filter((row) => row['database'] === name)
}

test('a test changes only what the deployed configuration sets', () => {
  expect(withChanges('; port = 1\n* = host=a port=5\nlisten_port = 6\n', { port: 7 })).toBe(
    '; port = 1\n* = host=a port=7\nlisten_port = 6\n',
  )
  expect(() => withChanges('pool_mode = session\n', { port: 7 })).toThrow('sets no port')
})

describe.skipIf(!hasPgBouncer)(`through PgBouncer in transaction mode${SKIPPED}`, () => {
  let folder: string

  beforeAll(async () => {
    folder = await makeTestFolder()
    database = await createTestDatabase()
    pooler = await startPgBouncer(database.url, POOL_SIZE)
    // Fleets are applied, and rows looked at, through the pooler too.
    service = await startTestService({
      databaseUrl: pooler.url,
      env: { DATABASE_DIRECT_URL: database.url, REGISTRY_REFRESH_MS: '100' },
    })
  })
  afterAll(async () => {
    try {
      await service.close()
    } finally {
      await pooler.remove()
      await database.drop()
      await removeTestFolder(folder)
    }
  })

  test('at the moment of the PUBACK the readings are there, from many hubs at once', async () => {
    const hubs = await Promise.all(Array.from({ length: 8 }, () => service.connect(NORTH_HUB)))
    const times = hubs.map(() => Array.from({ length: 20 }, nextTime))
    await Promise.all(
      hubs.flatMap((hub, index) =>
        (times[index] ?? []).map((at) =>
          publish(hub, READINGS, { device: northDevice(index), at, humidity: 50 }),
        ),
      ),
    )
    for (const index of hubs.keys()) {
      const stored = await readingsOf(service, northDevice(index))
      expect(stored.map((reading) => reading.atMs)).toEqual(times[index])
    }
  })

  test('door events, with durations corrected by what arrives late', async () => {
    const hub = await service.connect(NORTH_HUB)
    const device = northDevice(20)
    const event = (state: string, seconds: number) => ({
      device,
      at: Date.UTC(2025, 5, 1) + seconds * 1000,
      state,
    })
    await publish(hub, DOORS, { events: [event('open', 0), event('closed', 60)] })
    await publish(hub, DOORS, event('open', 100))
    await publish(hub, DOORS, event('closed', 90))
    const stored = await doorEventsOf(service, device)
    expect(stored.map(({ state, durationSeconds }) => [state, durationSeconds])).toEqual([
      ['open', null],
      ['closed', 60],
      ['closed', null],
      ['open', null],
    ])
  })

  test('duplicates, also in batches so large that PostgreSQL refuses them before they are sent', async () => {
    const hub = await service.connect(NORTH_HUB)
    const duplicates = () => service.metric('frostguard_readings_duplicate_total')
    const before = await duplicates()
    // The first reading of each message is the one that is stored already.
    const message = (temperature: number) =>
      Array.from({ length: 1_000 }, (_, index) => ({
        device: northDevice(30),
        at: 1_750_000_000_000 + index,
        temperature,
      }))
    await publish(hub, READINGS, message(1).slice(0, 1))
    for (const temperature of [2, 3, 4]) {
      const others = Array.from({ length: 12 }, (_, index) =>
        publish(
          hub,
          READINGS,
          message(temperature).map((reading) => ({ ...reading, device: northDevice(30 + index) })),
        ),
      )
      await Promise.all(others)
    }
    const stored = await readingsOf(service, northDevice(30))
    expect(stored.map((reading) => reading.temperature)).toEqual([1, ...Array.from({ length: 999 }, () => 2)])
    expect(await duplicates()).toBe(before + 1 + 2 * 12_000)
    expect(await service.metric('frostguard_batch_retries_total')).toBe(0)
  })

  test('what is rejected is kept and answered', async () => {
    const hub = await service.connect(NORTH_HUB)
    const answers = await collect<RejectAnswer[]>(hub, `v1/hubs/${NORTH_HUB}/rejected`)
    const good = { device: northDevice(50), at: nextTime(), temperature: 4 }
    const rejects = await rejectsOf(service, () =>
      publish(hub, READINGS, [good, { ...good, device: UNKNOWN_DEVICE }, { ...good, temperature: 999 }]),
    )
    expect(rejects.map(({ reason }) => reason).sort()).toEqual(['invalid', 'unknown_device'])
    expect((await received(answers, 1)).json).toHaveLength(2)
    expect(await readingsOf(service, northDevice(50))).toHaveLength(1)
  })

  test('receipts are published and kept', async () => {
    const hub = await service.connect(NORTH_HUB)
    const receipts = await collect<Receipt>(hub, `v1/hubs/${NORTH_HUB}/receipt`)
    for (const seq of [1, 2, 3]) {
      const readings = [{ device: northDevice(51), at: nextTime(), temperature: 4 }]
      await publish(hub, READINGS, { boot: 'pooled', seq, readings })
    }
    await until('the receipt says 3', () => receipts.at(-1)?.json.seq === 3)
    const kept = () => direct<{ boot: string; seq: string }>('SELECT boot, seq FROM pipeline.receipts')
    await until('it is kept', async () =>
      (await kept()).some(({ boot, seq }) => boot === 'pooled' && seq === '3'),
    )
  })

  test('the status of a hub', async () => {
    const hub = await service.connect(NORTH_HUB)
    await publish(hub, `v1/hubs/${NORTH_HUB}/status`, { state: 'offline', firmware: '1.4.2', queued: 17 })
    const rows = await direct(
      `SELECT is_online, firmware_version, queued_messages FROM hubs WHERE key = '${NORTH_HUB}'`,
    )
    expect(rows).toEqual([{ is_online: false, firmware_version: '1.4.2', queued_messages: 17 }])
  })

  test('npm run fleet:apply, while the service runs: a new hub gets in', async () => {
    const fleet = rivalFleet()
    fleet.organization.slug = 'pooled'
    const [site] = fleet.sites
    if (!site) throw new Error('the fleet has no site')
    site.hubs = [{ key: 'hub-pooled' }]
    site.areas = []
    const [path, credentials] = [join(folder, 'fleet.json'), join(folder, 'credentials.json')]
    await writeFile(path, JSON.stringify(fleet))
    const env = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: database.url }
    const applied = await runFleetApply([path, '--credentials', credentials], env)
    expect(applied).toMatchObject({ code: 0, stderr: '' })
    Object.assign(service.secrets.hubs, JSON.parse(await readFile(credentials, 'utf8')).hubs)
    expect((await service.connect('hub-pooled')).connected).toBe(true)
  })

  test('server connections were shared: fewer than the service has, and none is stuck or has something left in it', async () => {
    const clients = (await connections('CLIENTS')).filter(
      (row) => row['application_name'] === 'frostguard ingest',
    )
    expect((await connections('SERVERS')).length).toBeLessThanOrEqual(POOL_SIZE)
    expect(clients.length).toBeGreaterThan(POOL_SIZE)
    await until('all are free', async () =>
      (await connections('SERVERS')).every((row) => row['state'] === 'idle'),
    )

    const left = await direct(
      `SELECT (SELECT count(*)::int FROM pg_locks WHERE ${OUR_ADVISORY_LOCKS}) AS locks,
         (SELECT count(*)::int FROM pg_class WHERE relpersistence = 't') AS temporary_tables`,
    )
    expect(left).toEqual([{ locks: 0, temporary_tables: 0 }])
    // At the same time, so that each has another backend.
    const sessions = Array.from({ length: POOL_SIZE }, () => new Client({ connectionString: pooler.url }))
    await Promise.all(sessions.map((session) => session.connect()))
    const state = `BEGIN; SELECT pg_backend_pid() AS pid, current_setting('statement_timeout') AS statement_timeout,
      current_setting('lock_timeout') AS lock_timeout, current_setting('search_path') AS search_path`
    const states = await Promise.all(
      sessions.map(
        async (session) =>
          ((await session.query(state)) as unknown as { rows: { pid: number }[] }[])[1]?.rows[0],
      ),
    )
    await Promise.all(sessions.map((session) => session.end()))
    expect(new Set(states.map((each) => each?.pid)).size).toBe(POOL_SIZE)
    for (const each of states) {
      expect(each).toMatchObject({
        statement_timeout: '0',
        lock_timeout: '0',
        search_path: '"$user", public',
      })
    }
  })

  test.skipIf(!hasProgram('psql'))(
    'the health check of the stack passes, and fails for a wrong password (skipped without psql)',
    async () => {
      const [kind, text = ''] = serviceOf('pgbouncer').healthcheck?.test ?? []
      expect(kind).toBe('CMD-SHELL')
      const { port, pathname, username, password } = new URL(pooler.url)
      const command = interpolate(text, {})
        .replace('--port=6432', `--port=${port}`)
        .replace('--dbname=frostguard', `--dbname=${pathname.slice(1)}`)
      const check = (POSTGRES_PASSWORD: string) =>
        runProgram('sh', ['-c', command], {
          env: { PATH: process.env['PATH'], POSTGRES_USER: username, POSTGRES_PASSWORD },
        })
      expect(await check(password)).toMatchObject({ code: 0 })
      expect((await check('wrong')).code).not.toBe(0)
    },
  )

  test('without DATABASE_DIRECT_URL the start is refused with what to set, and nothing is left behind', async () => {
    const { code, stderr } = await runMain({ DATABASE_URL: pooler.url })
    expect(code).toBe(1)
    expect(stderr).toContain('Set DATABASE_DIRECT_URL to the address of PostgreSQL')
    expect(await direct(`SELECT 1 FROM pg_locks WHERE ${OUR_ADVISORY_LOCKS}`)).toEqual([])
  })
})

describe.skipIf(!hasPgBouncer)(`when something dies${SKIPPED}`, () => {
  beforeAll(async () => {
    database = await createTestDatabase()
    pooler = await startPgBouncer(database.url, POOL_SIZE)
  })
  afterAll(async () => {
    await pooler.remove()
    await database.drop()
  })

  test('a COPY that PostgreSQL refuses before it takes data: no server connection stays with us (PgBouncer from 1.21 on)', async () => {
    const { $client: pool } = createDatabase({
      url: pooler.url,
      poolMax: 1,
      statementTimeoutMs: 10_000,
      connectTimeoutMs: 5_000,
      keepIdle: true,
      onIdleError: () => {},
    })
    onTestFinished(() => pool.end())
    const refused = onConnection(pool, (client) =>
      copyAtOnce(client, 'BEGIN; COPY public.nothing FROM STDIN; COMMIT', Buffer.from('1\n')),
    )
    await expect(refused).rejects.toThrow('does not exist')
    await pool.query('SELECT 1')
    await until('all are free', async () =>
      (await connections('SERVERS')).every((row) => row['state'] === 'idle'),
    )
  })

  test('statements that are sent together: in one transaction, and gone with it when one is refused', async () => {
    const { $client: pool } = createDatabase({
      url: pooler.url,
      poolMax: 4,
      statementTimeoutMs: 10_000,
      connectTimeoutMs: 5_000,
      pipelined: true,
      onIdleError: () => {},
    })
    onTestFinished(() => pool.end())
    const notes = `notes_${process.pid}`
    await pool.query(`CREATE TABLE ${notes} (id int PRIMARY KEY)`)
    const noteAll = (ids: readonly number[]) =>
      onConnection(pool, async (client) => {
        await client.query('BEGIN')
        await together(
          client,
          ids.map((id) => () => client.query(`INSERT INTO ${notes} VALUES ($1)`, [id])),
        )
        await client.query('COMMIT')
      })
    // More at once than PgBouncer has connections to give: each transaction keeps its own to its end.
    const threeOf = (first: number) => [first, first + 1, first + 2]
    await Promise.all(Array.from({ length: 8 }, (_, place) => noteAll(threeOf(place * 3))))
    await expect(noteAll([100, 5, 101])).rejects.toMatchObject({ code: '23505' })
    await noteAll([102])
    const { rows } = await pool.query<{ id: number }>(`SELECT id FROM ${notes} ORDER BY id`)
    expect(rows.map(({ id }) => id)).toEqual([...Array.from({ length: 24 }, (_, id) => id), 102])
  })

  test(`PgBouncer, killed after ${PAUSES_MS.join(', ')} ms under load for ${AWAY_MS.join(', ')} ms: what was acknowledged is stored once`, async () => {
    const service = await startLoadedService({
      databaseUrl: pooler.url,
      ownerUrl: database.url,
      env: { DATABASE_DIRECT_URL: database.url },
      fleet: { hubs: 20, devices: 200 },
    })
    onTestFinished(() => service.close())
    const load = service.load({ everyMs: 10 })
    for (const [index, pauseMs] of PAUSES_MS.entries()) {
      await sleep(pauseMs)
      const before = service.ledger.acknowledged.size
      await pooler.kill()
      await sleep(AWAY_MS[index])
      await pooler.start()
      await until('acknowledgements go on', () => service.ledger.acknowledged.size > before + 100)
    }
    expect(await service.metric('frostguard_batch_retries_total')).toBeGreaterThan(0)
    await load.stop()
    // A PgBouncer that took long to come back has sent some to the spool.
    await untilSettled(service)
    expect(await service.end('SIGTERM')).toBe(0)
    expect(service.ledger.acknowledged.size).toBeGreaterThan(1_000)
    expect(await service.compare()).toMatchObject(STORED_ONCE)
  })

  test('PostgreSQL: a start waits while PgBouncer cannot log in', async () => {
    const allow = (yes: boolean) =>
      execute(
        inject('testServerUrl'),
        `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} ALLOW_CONNECTIONS ${yes}`,
      )
    // What PgBouncer has open already would go on.
    await pooler.kill()
    await pooler.start()
    await allow(false)
    const said: string[] = []
    const opened = await openDatabaseServer(readServiceSettings({ DATABASE_URL: pooler.url }), {
      info() {},
      error() {},
      warn: (message) => {
        said.push(message)
        allow(true).catch((error: unknown) => said.push(String(error)))
      },
    })
    // The code of the pooler, or from newer ones that of PostgreSQL.
    expect(said).toEqual([
      expect.stringMatching(
        /^Waiting up to 10 s .*(?:the pooler says: .*08P01|not currently accepting connections \(55000\))/,
      ),
    ])
    expect(opened.url).toBe(pooler.url)
  })
})
