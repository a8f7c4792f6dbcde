import { Client, Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findBatch } from './batches/write-batch.ts'
import { createDatabase } from './client.ts'
import { cutConnection } from './end-connection.ts'
import { expireHubs, recordSightings } from './hubs.ts'
import { pruneLedger } from './ledger.ts'
import { queryWithLimit } from './limited-query.ts'
import { saveReceipts } from './receipts.ts'
import { registryVersion } from './registry.ts'
import { pruneRejected } from './rejected.ts'
import { until } from './testing/poll.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

const LIMIT_MS = 200

let database: TestDatabase
/** As the service has it. */
let pool: Pool
let observer: Client

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createDatabase({
    url: database.url,
    poolMax: 1,
    statementTimeoutMs: LIMIT_MS,
    connectTimeoutMs: 10_000,
    onIdleError: () => {},
  }).$client
  observer = new Client({ connectionString: database.url })
  await observer.connect()
})
afterAll(async () => {
  await Promise.all([pool.end(), observer.end()])
  await database.drop()
})

async function sessionsThatWait(): Promise<number> {
  const { rowCount } = await observer.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  )
  return rowCount ?? 0
}

describe('while somebody holds the tables, the server ends', () => {
  let holder: Client

  beforeEach(async () => {
    holder = new Client({ connectionString: database.url })
    await holder.connect()
    await holder.query(
      `BEGIN; LOCK TABLE hubs, pipeline.watermarks, pipeline.ingest_batches, pipeline.registry_version,
         pipeline.rejected_messages IN ACCESS EXCLUSIVE MODE`,
    )
  })
  afterEach(() => holder.end())

  test.each<[string, () => Promise<unknown>]>([
    ['receipts', () => saveReceipts(pool, [], 5n)],
    ['sightings of hubs', () => recordSightings(pool, [{ hubId: 1, seenAtMs: 0 }])],
    ['the expiry of hubs', () => expireHubs(pool, { connected: [], nowMs: 0 })],
    [
      'pruning of the ledger',
      () => pruneLedger(pool, { retentionDays: 1, rowsMax: 1, nowMs: 0, afterId: 0n }),
    ],
    ['pruning of rejects', () => pruneRejected(pool, { retentionDays: 1, perClientMax: 1 })],
    ['a poll of the registry', () => registryVersion(pool)],
    [
      'a look into the ledger',
      () => findBatch(pool, { id: 1n, writer: '00000000-0000-4000-8000-000000000000' }),
    ],
  ])('%s', async (_what, attempt) => {
    await expect(attempt()).rejects.toMatchObject({ code: '57014' })
    expect(await sessionsThatWait()).toBe(0)
  })
})

test('commits, and leaves no limit in the session', async () => {
  await queryWithLimit(pool, `INSERT INTO organizations (slug, name) VALUES ($1, $1)`, ['kept'])
  expect((await observer.query('SELECT slug FROM organizations')).rows).toEqual([{ slug: 'kept' }])
  expect((await pool.query('SHOW statement_timeout')).rows).toEqual([{ statement_timeout: '0' }])
})

test('the limit is that of the pool; there is none where the pool gives nothing up', async () => {
  const unlimited = new Pool({ connectionString: database.url })
  try {
    const limits = await Promise.all(
      [pool, unlimited].map((one) => queryWithLimit(one, 'SHOW statement_timeout')),
    )
    expect(limits.map(({ rows }) => rows[0]?.['statement_timeout'])).toEqual([`${LIMIT_MS}ms`, '0'])
  } finally {
    await unlimited.end()
  }
})

test('what waits for a lock ends at the server when its client has gone', async () => {
  await observer.query('SELECT pg_advisory_lock(4711)')
  const client = new Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  const waiting = client.query('SELECT pg_advisory_lock(4711)').catch(() => undefined)
  await until('it waits', async () => (await sessionsThatWait()) === 1)
  cutConnection(client)
  await waiting
  await until('it has ended', async () => (await sessionsThatWait()) === 0)
})
