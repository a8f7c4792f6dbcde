import { Pool } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { firstBatchIdAt } from './batches/batch-id.ts'
import { pruneLedger } from './ledger.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const NOW_MS = Date.now()
const LIMITS = { retentionDays: 14, rowsMax: 1_000, nowMs: NOW_MS, afterId: 0n }

let database: TestDatabase
let pool: Pool

beforeEach(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
})

afterEach(async () => {
  await pool.end()
  await database.drop()
})

const idOf = (daysAgo: number) => firstBatchIdAt(NOW_MS - daysAgo * DAY_MS)

async function addBatch(daysAgo: number, committedDaysAgo = daysAgo): Promise<void> {
  await pool.query(
    `INSERT INTO pipeline.ingest_batches (id, committed_at) VALUES ($1, now() - $2 * interval '1 day')`,
    [idOf(daysAgo), committedDaysAgo],
  )
}

async function readUpTo(name: string, daysAgo: number): Promise<void> {
  await pool.query('INSERT INTO pipeline.watermarks (name, batch_id) VALUES ($1, $2)', [name, idOf(daysAgo)])
}

async function left(): Promise<bigint[]> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM pipeline.ingest_batches ORDER BY id')
  return rows.map(({ id }) => BigInt(id))
}

test('deletes what is past its retention, in steps', async () => {
  for (const daysAgo of [30, 20, 15, 13, 0]) await addBatch(daysAgo)
  await readUpTo('receipts', 0)
  const first = await pruneLedger(pool, { ...LIMITS, rowsMax: 2 })
  expect(first).toEqual({ deleted: 2, lastId: idOf(20) })
  const second = await pruneLedger(pool, { ...LIMITS, rowsMax: 2, afterId: first.lastId })
  expect(second).toEqual({ deleted: 1, lastId: idOf(15) })
  expect(await left()).toEqual([idOf(13), idOf(0)])
  expect(await pruneLedger(pool, { ...LIMITS, afterId: second.lastId })).toEqual({
    deleted: 0,
    lastId: second.lastId,
  })
})

test('keeps what a reader of the ledger has not passed', async () => {
  for (const daysAgo of [30, 20, 15]) await addBatch(daysAgo)
  expect(await pruneLedger(pool, LIMITS)).toMatchObject({ deleted: 0 })
  await readUpTo('receipts', 0)
  await readUpTo('another reader', 20)
  expect(await pruneLedger(pool, LIMITS)).toMatchObject({ deleted: 2 })
  expect(await left()).toEqual([idOf(15)])
})

test('keeps a batch that was committed long after it got its id', async () => {
  await addBatch(30, 1)
  await addBatch(29)
  await readUpTo('receipts', 0)
  expect(await pruneLedger(pool, LIMITS)).toEqual({ deleted: 1, lastId: idOf(29) })
  expect(await left()).toEqual([idOf(30)])
})

test('does not scan the table', async () => {
  await pool.query(
    `INSERT INTO pipeline.ingest_batches (id, committed_at)
     SELECT $1::bigint + n, now() - interval '30 days' FROM generate_series(1, 20000) n`,
    [idOf(30)],
  )
  await pool.query('ANALYZE pipeline.ingest_batches')
  await readUpTo('receipts', 0)
  const before = await sequentialScans()
  expect(await pruneLedger(pool, LIMITS)).toMatchObject({ deleted: 1_000 })
  expect(await sequentialScans()).toBe(before)
  // That they are counted:
  await pool.query('SELECT 1 FROM pipeline.ingest_batches WHERE rejected > 0')
  expect(await sequentialScans()).toBeGreaterThan(before)
})

async function sequentialScans(): Promise<number> {
  const client = await pool.connect()
  try {
    await client.query('SELECT pg_stat_force_next_flush()')
    const { rows } = await client.query<{ scans: number }>(
      `SELECT seq_scan::int AS scans FROM pg_stat_user_tables WHERE relname = 'ingest_batches'`,
    )
    return rows[0]?.scans ?? -1
  } finally {
    client.release()
  }
}
