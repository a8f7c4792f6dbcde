/** kill -9 of the service around COMMIT, held there for real: before its answer, and before the PUBACK. */
import { join } from 'node:path'
import { Client, Pool } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { closeAll, logInRaw, publishPacket, type RawClient } from '../broker/testing.ts'
import { type ServiceProcess, startProcess } from '../contract/testing/process.ts'
import { createTestFleet, TEST_SECRET, type TestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { startUrlProxy, type TcpProxy } from './testing/tcp-proxy.ts'

const READINGS = 5
const HOLD_COMMIT = 4_711
/** COMMIT of a batch waits as long as a test has this lock. */
const COMMIT_WAITS = `
  CREATE FUNCTION commit_waits() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(${HOLD_COMMIT}); RETURN NULL; END $$;
  CREATE CONSTRAINT TRIGGER commit_waits AFTER INSERT ON pipeline.ingest_batches
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION commit_waits()`

let database: TestDatabase
let pool: Pool
let holder: Client
let fleet: TestFleet
let folder: string
/** Between the service and PostgreSQL. */
let proxy: TcpProxy
let env: Record<string, string>
let service: ServiceProcess
let hub: RawClient
let message: Parameters<typeof publishPacket>[0]

beforeEach(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'commit', hubs: 1, devices: READINGS, euiPrefix: 'a8' })
  await pool.query(COMMIT_WAITS)
  holder = new Client({ connectionString: database.url })
  await holder.connect()
  const through = await startUrlProxy(database.url)
  proxy = through.proxy
  folder = await makeTestFolder()
  // So long that no spool takes the batch.
  env = { DATABASE_URL: through.url, DATA_DIR: join(folder, 'data'), INGEST_HOLD_MS: '60000' }
  service = await startProcess(env)
  hub = await connectHub()
  message = {
    topic: `v1/hubs/${fleet.hubs[0]?.key}/readings`,
    messageId: 7,
    payload: JSON.stringify(
      fleet.devices.map(({ devEui }, n) => ({
        device: devEui,
        at: Date.UTC(2026, 0, 1) + n,
        temperature: 4,
      })),
    ),
  }
})

afterEach(async () => {
  await closeAll()
  service.signal('SIGKILL')
  await service.ended
  await proxy.close()
  await holder.end()
  await pool.end()
  await database.drop()
  await removeTestFolder(folder)
})

function connectHub(): Promise<RawClient> {
  const username = fleet.hubs[0]?.key ?? ''
  const port = Number(new URL(service.printed('MQTT')).port)
  return logInRaw(port, { username, password: Buffer.from(TEST_SECRET), clientId: 'hub', clean: false })
}

async function stored(): Promise<number> {
  const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int FROM sensor_readings')
  return rows[0]?.count ?? 0
}

/** Publishes, and returns when COMMIT was sent and PostgreSQL works on it; its answer will not come through. */
async function publishUntilCommitIsSent(): Promise<void> {
  await holder.query(`SELECT pg_advisory_lock(${HOLD_COMMIT})`)
  hub.send(publishPacket(message))
  await until('COMMIT is under way', async () => {
    const { rowCount } = await pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()`,
    )
    return rowCount === 1
  })
  proxy.setFaults({ toClient: { isBlackHole: true } })
  expect(hub.all('puback')).toEqual([])
}

function letCommit(): Promise<unknown> {
  return holder.query(`SELECT pg_advisory_unlock(${HOLD_COMMIT})`)
}

async function killService(): Promise<void> {
  service.signal('SIGKILL')
  expect(await service.ended).toBe('SIGKILL')
  await hub.untilClosed()
  expect(hub.all('puback')).toEqual([])
}

/** The service comes back, and the hub sends again what was not acknowledged, with DUP. */
async function comeBack(): Promise<void> {
  proxy.setFaults({})
  service = await startProcess(env)
  hub = await connectHub()
  hub.send(publishPacket({ ...message, dup: true }))
}

/** All is acknowledged, and the message is there once, by whichever of its two batches. */
async function expectStoredOnce(): Promise<void> {
  expect((await hub.next('puback')).messageId).toBe(7)
  expect(await stored()).toBe(READINGS)
  const { rows } = await pool.query<{ readings: number }>(
    'SELECT sum(readings)::int AS readings FROM pipeline.ingest_batches',
  )
  expect(rows).toEqual([{ readings: READINGS }])
}

test('killed while COMMIT is under way, and sent again before PostgreSQL has carried it out: stored once', async () => {
  await publishUntilCommitIsSent()
  await killService()
  await comeBack()
  await until('the second batch waits for the first', async () => {
    const { rowCount } = await pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid' AND datname = current_database()`,
    )
    return rowCount === 1
  })
  expect(hub.all('puback')).toEqual([])
  await letCommit()
  await expectStoredOnce()
})

test('killed between COMMIT and PUBACK: sent again, stored once', async () => {
  await publishUntilCommitIsSent()
  await letCommit()
  await until('PostgreSQL has committed', async () => (await stored()) === READINGS)
  await killService()
  await comeBack()
  await expectStoredOnce()
})

test('the connection is reset between COMMIT and its answer: looked up in the ledger, acknowledged, stored once', async () => {
  await publishUntilCommitIsSent()
  await letCommit()
  await until('PostgreSQL has committed', async () => (await stored()) === READINGS)
  expect(proxy.reset()).toBeGreaterThan(0)
  proxy.setFaults({})
  await expectStoredOnce()
})
