import { Pool } from 'pg'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { BacklogUnderWay } from './backlog-under-way.ts'
import { BatchIds } from './batch-ids.ts'
import { openBooks } from './books.ts'
import { BatchNotTakenError } from './commit.ts'
import { Committer } from './committer.ts'
import { DatabaseGate } from './gate.ts'
import { createIngestMetrics } from './metrics.ts'
import { Outcomes } from './outcomes.ts'
import { RecentReadings } from './recent-readings.ts'
import type { Spool } from './spool/types.ts'
import { testMessage } from './testing/messages.ts'

const T0 = Date.UTC(2026, 10, 20, 10)

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
const ids = new BatchIds('00000000-0000-4000-8000-000000000001')
const end = new AbortController()

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  pool.on('error', () => {})
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 1, euiPrefix: 'a8' })
})
afterAll(async () => {
  end.abort()
  await pool.end()
  await database.drop()
})

function openCommitter(): Committer {
  const log = pino({ level: 'silent' })
  const books = openBooks()
  const backlog = new BacklogUnderWay()
  return new Committer({
    pool,
    log,
    ids,
    gate: new DatabaseGate({ probeFirstMs: 100, probeMaxMs: 100 }),
    // Nothing is spooled.
    spool: { state: 'failed' } as Spool,
    metrics: createIngestMetrics(new Registry(), books, { repeated: 0 }),
    recent: new RecentReadings(10),
    statementTimeoutMs: 30_000,
    holdMs: 1_000,
    signal: end.signal,
    outcomes: new Outcomes({
      log,
      books,
      backlog,
      receipts: { durable: () => {} },
      rejected: { written: () => {} },
      publish: async () => {},
    }),
    backlog,
  })
}

test('of the names of a batch that is given up only the one stays open under which it may be committed', async () => {
  const taken = ids.open()
  await pool.query('INSERT INTO pipeline.ingest_batches (id, writer) VALUES ($1, gen_random_uuid())', [
    taken.id,
  ])
  await pool.query(`
    CREATE FUNCTION pipeline.hang() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$;
    CREATE TRIGGER hang BEFORE INSERT ON pipeline.ingest_batches FOR EACH ROW WHEN (NEW.id <> ${taken.id}) EXECUTE FUNCTION pipeline.hang()`)
  const error = await openCommitter()
    .write([testMessage(fleet, [T0])], { tried: taken, holdMs: 1_000 })
    .catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(BatchNotTakenError)
  const { batch } = error as BatchNotTakenError
  expect(batch.id).toBeGreaterThan(taken.id)
  expect(ids.settledId()).toBe(batch.id - 1n)
})
