import { Pool } from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createBatchIds } from '../db/batches/batch-id.ts'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { startTestServer } from '../db/testing/test-server.ts'
import { sealBatch } from './batch.ts'
import { commitSealed } from './commit.ts'
import { testMessage } from './testing/messages.ts'

const T0 = Date.UTC(2026, 10, 20, 10)
/** No partition takes it: PostgreSQL refuses the whole COPY with 23514. */
const REFUSED = Date.UTC(1999, 0, 1)

function openPool(url: string): Pool {
  const opened = new Pool({ connectionString: url })
  opened.on('error', () => {})
  return opened
}

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
const nextBatchId = createBatchIds({ now: Date.now, process: 1 })

beforeAll(async () => {
  database = await createTestDatabase()
  pool = openPool(database.url)
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 500, euiPrefix: 'a8' })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

function options(change: Partial<Parameters<typeof commitSealed>[1]> = {}) {
  let transactions = 0
  return {
    pool,
    log: pino({ level: 'silent' }),
    nextBatchId,
    writer: '00000000-0000-4000-8000-000000000001',
    onRetry: () => {},
    statementTimeoutMs: 30_000,
    signal: new AbortController().signal,
    onCommitted: () => {
      transactions += 1
    },
    transactions: () => transactions,
    ...change,
  }
}

test('a row that PostgreSQL refuses is found and kept with its SQLSTATE; its 499 neighbours are stored', async () => {
  const times = Array.from({ length: 500 }, (_, n) => (n === 321 ? REFUSED : T0 + n))
  const message = testMessage(fleet, times)
  let ids = 0
  const outcome = await commitSealed(
    sealBatch([message]),
    options({
      nextBatchId: () => {
        ids += 1
        return nextBatchId()
      },
    }),
  )
  expect(outcome.readings).toBe(499)
  expect(message.rejects).toMatchObject([{ reason: 'invalid', item: 321, sqlstate: '23514' }])
  const { rows } = await pool.query('SELECT reason, item, sqlstate FROM pipeline.rejected_messages')
  expect(rows).toEqual([{ reason: 'invalid', item: 321, sqlstate: '23514' }])
  // 2·log2(500) + 3 attempts find it, and one more keeps it.
  expect(ids).toBeLessThanOrEqual(22)
})

test('a commit whose answer was lost is looked up, not written again', async () => {
  const id = nextBatchId()
  const given = options({ nextBatchId: () => id })
  const first = await commitSealed(sealBatch([testMessage(fleet, [T0 + 1_000, T0 + 1_001])]), given)
  const again = await commitSealed(sealBatch([testMessage(fleet, [T0 + 1_000, T0 + 1_001])]), given)
  expect(again).toEqual(first)
})

test('while the database is away a batch is tried again until it is back', async () => {
  const server = await startTestServer({ migrate: true })
  try {
    const restarted = openPool(server.url)
    const restartedFleet = await createTestFleet(restarted, {
      slug: 'away',
      hubs: 1,
      devices: 5,
      euiPrefix: 'b8',
    })
    await server.stop('immediate')
    const attempts = Promise.withResolvers<void>()
    const log = pino({ level: 'warn' }, { write: () => attempts.resolve() })
    const given = commitSealed(
      sealBatch([testMessage(restartedFleet, [T0])]),
      options({ pool: restarted, log }),
    )
    await attempts.promise
    await server.start()
    expect((await given).readings).toBe(1)
    await restarted.end()
  } finally {
    await server.remove()
  }
})

test('at the end of the service a batch that cannot be committed is given up', async () => {
  const unreachable = new Pool({ host: '127.0.0.1', port: 1, max: 1 })
  const end = new AbortController()
  const given = commitSealed(
    sealBatch([testMessage(fleet, [T0 + 3_000])]),
    options({ pool: unreachable, signal: end.signal }),
  )
  setTimeout(() => end.abort(), 50)
  await expect(given).rejects.toThrow(/abort/)
  await unreachable.end()
})
