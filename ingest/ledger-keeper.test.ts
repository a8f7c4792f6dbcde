import { Pool } from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { firstBatchIdAt } from '../db/batches/batch-id.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { checkIngestSettings } from './config.ts'
import { LedgerKeeper } from './ledger-keeper.ts'

const ROWS = 2_500
const DAY_MS = 24 * 60 * 60 * 1_000

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  await pool.query(`INSERT INTO pipeline.watermarks (name, batch_id) VALUES ('receipts', $1)`, [
    firstBatchIdAt(Date.now()),
  ])
})
beforeEach(async () => {
  await pool.query('TRUNCATE pipeline.ingest_batches')
  await pool.query(
    `INSERT INTO pipeline.ingest_batches (id, committed_at)
     SELECT $1::bigint + n, now() - interval '30 days' FROM generate_series(1, $2::int) n`,
    [firstBatchIdAt(Date.now() - 30 * DAY_MS), ROWS],
  )
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

function keeper(spooledBatches: number): LedgerKeeper {
  const stats = {
    batches: spooledBatches,
    messages: 0,
    bytes: 0,
    oldestReceivedAtMs: null,
    items: { readings: 0, doors: 0, status: 0 },
  }
  const log = pino({ level: 'silent' })
  return new LedgerKeeper({ pool, log, spool: { stats }, retentionDays: 14, now: Date.now })
}

async function rowsLeft(): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM pipeline.ingest_batches')
  return rows[0]?.n ?? -1
}

test('a round deletes all that is past its retention', async () => {
  await keeper(0).prune()
  expect(await rowsLeft()).toBe(0)
})

test('while something is in the spool nothing goes: it may be stored already, and only the ledger knows', async () => {
  await keeper(1).prune()
  expect(await rowsLeft()).toBe(ROWS)
})

test('a stop ends a round between two steps', async () => {
  const stopped = keeper(0)
  const round = stopped.prune()
  await stopped.stop()
  await round
  const left = await rowsLeft()
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThan(ROWS)
})

test('a retention that is shorter than what the spool may hold is refused with a sentence', () => {
  const settings = { SPOOL_BYTES_MAX: 1e9, INGEST_BATCH_BYTES_MAX: 1e6, SPOOL_AGE_MAX_HOURS: 168 }
  expect(() => checkIngestSettings({ ...settings, LEDGER_RETENTION_DAYS: 8 })).not.toThrow()
  expect(() => checkIngestSettings({ ...settings, LEDGER_RETENTION_DAYS: 7 })).toThrow(
    /^LEDGER_RETENTION_DAYS=7: expected at least 8, .*SPOOL_AGE_MAX_HOURS \(168\).*Raise the one or lower the other\.$/s,
  )
})
