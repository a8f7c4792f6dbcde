/** kill -9 of the service around COMMIT, held there for real: before its answer, and before the PUBACK. */
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { closeAll, logInRaw, publishPacket, type RawClient } from '../broker/testing.ts'
import { TEST_SECRET } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { type LoadedService, startLoadedService } from './testing/loaded-service.ts'
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
let holder: Client
/** Between the service and PostgreSQL. */
let proxy: TcpProxy
let service: LoadedService
let hub: RawClient
/** Of the present test: its readings have times of their own. */
let message: Parameters<typeof publishPacket>[0]
let tests = 0

beforeAll(async () => {
  database = await createTestDatabase()
  // PostgreSQL is to carry out a COMMIT whose client has gone, however long that is held.
  const through = await startUrlProxy(`${database.url}?options=-c%20client_connection_check_interval%3D0`)
  proxy = through.proxy
  service = await startLoadedService({
    databaseUrl: through.url,
    ownerUrl: database.url,
    fleet: { hubs: 1, devices: READINGS },
    // So long that no spool takes the batch.
    env: { INGEST_HOLD_MS: '60000' },
  })
  await service.owner.query(COMMIT_WAITS)
  holder = new Client({ connectionString: database.url })
  await holder.connect()
})
afterAll(async () => {
  await service.close()
  await proxy.close()
  await holder.end()
  await database.drop()
})

beforeEach(async () => {
  await service.owner.query('TRUNCATE sensor_readings, pipeline.ingest_batches')
  hub = await connectHub()
  tests += 1
  const fromMs = Date.UTC(2026, 0, tests)
  message = {
    topic: `v1/hubs/${service.fleet.hubs[0]?.key}/readings`,
    messageId: 7,
    payload: JSON.stringify(
      service.fleet.devices.map(({ devEui }, n) => ({ device: devEui, at: fromMs + n, temperature: 4 })),
    ),
  }
})

afterEach(async () => {
  // Also after a test that has failed.
  proxy.setFaults({})
  await letCommit()
  await closeAll()
})

function connectHub(): Promise<RawClient> {
  const username = service.fleet.hubs[0]?.key ?? ''
  const fields = { username, password: Buffer.from(TEST_SECRET), clientId: 'hub', clean: false }
  return logInRaw(service.mqttPort, fields)
}

async function stored(): Promise<number> {
  const { rows } = await service.owner.query<{ count: number }>('SELECT count(*)::int FROM sensor_readings')
  return rows[0]?.count ?? 0
}

/** Publishes, and returns when COMMIT was sent and PostgreSQL works on it; its answer will not come through. */
async function publishUntilCommitIsSent(): Promise<void> {
  await holder.query(`SELECT pg_advisory_lock(${HOLD_COMMIT})`)
  hub.send(publishPacket(message))
  await until('COMMIT is under way', async () => {
    const { rowCount } = await service.owner.query(
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
  expect(await service.end('SIGKILL')).toBe('SIGKILL')
  await hub.untilClosed()
  expect(hub.all('puback')).toEqual([])
}

/** The service comes back, and the hub sends again what was not acknowledged, with DUP. */
async function comeBack(): Promise<void> {
  proxy.setFaults({})
  await service.start()
  hub = await connectHub()
  hub.send(publishPacket({ ...message, dup: true }))
}

/** All is acknowledged, and the message is there once, by whichever of its two batches. */
async function expectStoredOnce(): Promise<void> {
  expect((await hub.next('puback')).messageId).toBe(7)
  expect(await stored()).toBe(READINGS)
  const { rows } = await service.owner.query<{ readings: number }>(
    'SELECT sum(readings)::int AS readings FROM pipeline.ingest_batches',
  )
  expect(rows).toEqual([{ readings: READINGS }])
}

test('killed while COMMIT is under way, and sent again before PostgreSQL has carried it out: stored once', async () => {
  await publishUntilCommitIsSent()
  await killService()
  await comeBack()
  await until('the second batch waits for the first', async () => {
    const { rowCount } = await service.owner.query(
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
