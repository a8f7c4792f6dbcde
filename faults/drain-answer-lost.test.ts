/** What is in the spool goes into the database once, also when a drain's COMMIT is answered too late. */
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publishPacket, type RawClient } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { untilSettled } from './testing/settled.ts'

let database: TestDatabase
let service: TestService
let hub: RawClient
let holder: Client

beforeEach(async () => {
  database = await createTestDatabase()
  // The server must carry out what nobody waits for: it does not look for a client that has gone.
  const databaseUrl = `${database.url}?options=-c%20client_connection_check_interval%3D0`
  service = await startTestService({ databaseUrl, env: { INGEST_HOLD_MS: '300' } })
  hub = await connectRaw(service, NORTH_HUB)
  holder = new Client({ connectionString: database.url })
  await holder.connect()
})

afterEach(async () => {
  await holder.end()
  await service.close()
  await database.drop()
})

/** A message that is rejected whole, with text to know it by; returns when it is acknowledged. */
async function publishGarbage(text: string, messageId: number): Promise<void> {
  hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload: text, messageId }))
  await hub.next('puback', messageId)
}

/** Locks that COMMIT waits for: of the batch that is tried first, and of all others. */
const [FIRST, OTHERS] = [1, 2]

/** COMMIT takes as long as a test wants, longer than the hold time, and is carried out although nobody waits for it. */
async function holdCommits(): Promise<void> {
  await holder.query(`SELECT pg_advisory_lock(${FIRST}), pg_advisory_lock(${OTHERS})`)
  await service.query(`
    CREATE FUNCTION commit_waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_advisory_xact_lock_shared(
        CASE WHEN NEW.id = (SELECT min(id) FROM pipeline.ingest_batches) THEN ${FIRST} ELSE ${OTHERS} END);
      RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER commit_waits AFTER INSERT ON pipeline.ingest_batches
      DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION commit_waits()`)
}

async function letCommit(...locks: number[]): Promise<void> {
  for (const lock of locks) await holder.query(`SELECT pg_advisory_unlock(${lock})`)
}

function untilWaiting(what: string, waitEvent: 'transactionid' | 'advisory'): Promise<void> {
  return until(what, async () => {
    const waiting = await service.query(
      'SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = $1',
      [waitEvent],
    )
    return waiting.length > 0
  })
}

const drainWaitsForFirst = () => untilWaiting('the drain waits for the first batch', 'transactionid')

const SENT = ['garbage 1', 'garbage 2', 'garbage 3', 'garbage 4']

/** The first is tried before it comes into the spool, and is under way still; the others are to be drained together. */
async function publishAll(): Promise<void> {
  await holdCommits()
  for (const [index, text] of SENT.entries()) await publishGarbage(text, index + 1)
  await drainWaitsForFirst()
}

async function untilDrained(): Promise<void> {
  await service.query('DROP TRIGGER commit_waits ON pipeline.ingest_batches')
  await untilSettled(service)
}

async function keptPayloads(): Promise<number> {
  return (await service.query('SELECT DISTINCT payload FROM pipeline.rejected_payloads')).length
}

async function expectKeptOnce(): Promise<void> {
  const rows = await service.query<{ text: string; kept: number }>(
    `SELECT convert_from(p.payload, 'UTF8') AS text, count(*)::int AS kept
     FROM pipeline.rejected_messages m JOIN pipeline.rejected_payloads p ON p.id = m.payload_id GROUP BY 1 ORDER BY 1`,
  )
  expect(rows).toEqual(SENT.map((text) => ({ text, kept: 1 })))
}

test('rejected messages are kept once, whatever the answer to their COMMIT', async () => {
  await publishAll()
  await letCommit(FIRST, OTHERS)
  await until('all are kept', async () => (await keptPayloads()) === SENT.length)
  await untilDrained()
  await expectKeptOnce()
  // What the ledger had already does not hold back the watermark of the receipts.
  await service.stop()
  const [row] = await service.query<{ isPassed: boolean }>(
    `SELECT (SELECT batch_id FROM pipeline.watermarks WHERE name = 'receipts') >= max(id) AS "isPassed"
     FROM pipeline.ingest_batches`,
  )
  expect(row?.isPassed).toBe(true)
})

test('rejected messages are kept once, although the service ends before the answer to their COMMIT', async () => {
  await publishAll()
  await letCommit(FIRST)
  await until('the first is kept', async () => (await keptPayloads()) === 1)
  await untilWaiting('the others wait for their COMMIT', 'advisory')
  await service.stop()
  await letCommit(OTHERS)
  await until('all are kept', async () => (await keptPayloads()) === SENT.length)
  await service.start()
  await untilDrained()
  await expectKeptOnce()
})

test('what may be committed still is kept once, although PostgreSQL refuses a row of what was spooled after it', async () => {
  await holdCommits()
  await service.query(
    'ALTER TABLE public.sensor_readings ADD CONSTRAINT refused CHECK (temperature <> 13) NOT VALID',
  )
  await publishGarbage('garbage 1', 1)
  const refused = { device: northDevice(0), at: nextTime(), temperature: 13 }
  hub.send(
    publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload: JSON.stringify(refused), messageId: 2 }),
  )
  await hub.next('puback', 2)
  await drainWaitsForFirst()
  await letCommit(FIRST, OTHERS)
  await until('the first is kept', async () => (await keptPayloads()) > 0)
  await untilDrained()
  const kept = await service.query('SELECT reason FROM pipeline.rejected_messages ORDER BY reason')
  expect(kept).toEqual([{ reason: 'invalid' }, { reason: 'malformed' }])
})
