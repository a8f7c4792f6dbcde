import { Pool } from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { startTestServer } from '../db/testing/test-server.ts'
import { sealBatch } from './batch.ts'
import { BatchIds } from './batch-ids.ts'
import { BatchNotTakenError, commitSealed } from './commit.ts'
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
const ids = new BatchIds('00000000-0000-4000-8000-000000000001')
const nameBatch = () => ids.open()

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
    nameBatch,
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
  let names = 0
  const outcome = await commitSealed(
    sealBatch([message]),
    options({
      nameBatch: () => {
        names += 1
        return nameBatch()
      },
    }),
  )
  expect(outcome.readings).toBe(499)
  expect(message.rejects).toMatchObject([{ reason: 'invalid', item: 321, sqlstate: '23514' }])
  const { rows } = await pool.query('SELECT reason, item, sqlstate FROM pipeline.rejected_messages')
  expect(rows).toEqual([{ reason: 'invalid', item: 321, sqlstate: '23514' }])
  // 2·log2(500) + 3 attempts find it, and one more keeps it.
  expect(names).toBeLessThanOrEqual(22)
})

test('a value that cannot be encoded rejects its row alone, as one that PostgreSQL refuses does', async () => {
  const message = testMessage(fleet, [T0 + 2_000, T0 + 2_001, T0 + 2_002])
  const [, bad] = message.readings
  if (!bad) throw new Error('no reading')
  bad.rssi = 1e6
  const outcome = await commitSealed(sealBatch([message]), options({}))
  expect(outcome.readings).toBe(2)
  expect(message.rejects).toMatchObject([{ reason: 'invalid', item: bad.item, sqlstate: null }])
})

test('a commit whose answer was lost is looked up, not written again', async () => {
  const name = nameBatch()
  const given = options({ nameBatch: () => name })
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

test('after the hold time a batch is given up, with the name it may be committed under', async () => {
  const unreachable = new Pool({ host: '127.0.0.1', port: 1, max: 1 })
  const name = nameBatch()
  const given = commitSealed(
    sealBatch([testMessage(fleet, [T0 + 4_000])]),
    options({ pool: unreachable, holdMs: 250, nameBatch: () => name }),
  )
  const error = await given.catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(BatchNotTakenError)
  expect(error).toMatchObject({ batch: name, message: expect.stringContaining('ECONNREFUSED') })
  await unreachable.end()
})

test('a database that hangs is not waited for beyond the hold time, and its connection is free again', async () => {
  const holder = await pool.connect()
  const single = new Pool({ connectionString: database.url, max: 1 })
  single.on('error', () => {})
  try {
    await holder.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
    const sealed = sealBatch([testMessage(fleet, [T0 + 5_000, T0 + 5_001])])
    const error = await commitSealed(sealed, options({ pool: single, holdMs: 300 })).catch((caught) => caught)
    expect(error).toBeInstanceOf(BatchNotTakenError)
    expect((await single.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await holder.query('ROLLBACK')

    // The server may have finished what it was asked: under the same name it is stored once.
    const outcome = await commitSealed(
      sealBatch([testMessage(fleet, [T0 + 5_000, T0 + 5_001])]),
      options({ pool: single, tried: (error as BatchNotTakenError).batch }),
    )
    expect(outcome.readings + outcome.readingsDuplicate).toBe(2)
    const { rows } = await pool.query(
      'SELECT count(*)::int FROM sensor_readings WHERE recorded_at >= $1 AND recorded_at <= $2',
      [new Date(T0 + 5_000), new Date(T0 + 5_001)],
    )
    expect(rows).toEqual([{ count: 2 }])
  } finally {
    holder.release()
    await single.end()
  }
})
