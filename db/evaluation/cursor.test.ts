import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { until } from '../testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { LEDGER_START, type LedgerCursor, moveCursor, openCursor } from './cursor.ts'
import { type LedgerPage, ledgerPage } from './ledger-page.ts'
import { readingOf, storeBatch } from './testing/batches.ts'

const T0 = Date.UTC(2026, 10, 20, 10)
const NAME = 'evaluator'

let database: TestDatabase
let pool: Pool
let reader: PoolClient
let fleet: TestFleet

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  reader = await pool.connect()
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 1, euiPrefix: 'a8' })
})

afterAll(async () => {
  reader.release()
  await pool.end()
  await database.drop()
})

beforeEach(async () => {
  await pool.query('TRUNCATE pipeline.ingest_batches, pipeline.evaluator_cursors')
})

let stored = 0
const store = () => storeBatch(pool, { readings: [readingOf(fleet, 0, T0 + 60_000 * stored++)] })

/** Reads on as the evaluator does, each page in one transaction with its cursor, until there is nothing left. */
async function readOn(limit = 2): Promise<bigint[]> {
  const ids: bigint[] = []
  let { cursor } = await openCursor(pool, NAME)
  for (;;) {
    await reader.query('BEGIN')
    const page = await ledgerPage(reader, cursor, { limit })
    ids.push(...page.batches.map(({ id }) => id))
    await moveCursor(reader, NAME, { from: cursor, to: page.cursor })
    await reader.query('COMMIT')
    if (!page.isFull) return ids
    cursor = page.cursor
  }
}

/** Reads until it has so many: other databases of the server have transactions too, and each holds the ledger back. */
async function readAll(count: number): Promise<bigint[]> {
  const ids: bigint[] = []
  await until(`${count} batches are read`, async () => ids.push(...(await readOn())) >= count)
  return ids
}

/** The first page, with the one batch of the test or as many as asked for. */
async function fullPage(limit = 1): Promise<LedgerPage> {
  let page: LedgerPage | undefined
  await until('a page is full', async () => {
    page = await ledgerPage(reader, LEDGER_START, { limit })
    return page.isFull
  })
  if (!page) throw new Error('No page was read')
  return page
}

describe('the ledger', () => {
  test('is read in pages, each batch once', async () => {
    const ids = [await store(), await store(), await store(), await store(), await store()]
    expect(await readAll(5)).toEqual(ids)
    expect(await readOn()).toEqual([])
    const next = await store()
    expect(await readAll(1)).toEqual([next])
  })

  test('says what a batch has and when it was measured', async () => {
    const readings = [readingOf(fleet, 0, T0 - 55_000), readingOf(fleet, 0, T0 - 120_000)]
    const id = await storeBatch(pool, { readings })
    const { batches } = await fullPage()
    expect(batches).toEqual([
      {
        id,
        tx: expect.any(String),
        readings: 2,
        doors: 0,
        recordedFromMs: T0 - 120_000,
        recordedToMs: T0 - 55_000,
        committedAtMs: expect.closeTo(Date.now(), -5),
      },
    ])
  })

  test('has batches without readings, which only move the cursor', async () => {
    await storeBatch(pool, {})
    const { batches, cursor } = await fullPage()
    expect(batches).toEqual([])
    expect(BigInt(cursor.tx)).toBeGreaterThan(0n)
  })

  test('leaves out nothing that is committed out of order', async () => {
    const early = await pool.connect()
    try {
      await early.query('BEGIN')
      await early.query(`INSERT INTO pipeline.ingest_batches (id, readings) VALUES (1, 1)`)
      const late = await store()
      expect(await readOn()).toEqual([])
      await early.query('COMMIT')
      expect(await readAll(2)).toEqual([1n, late])
    } finally {
      early.release()
    }
  })

  test('waits for any transaction that writes, and goes on when it has ended', async () => {
    await store()
    await readAll(1)
    const idle = await pool.connect()
    try {
      await idle.query('BEGIN')
      await idle.query('CREATE TABLE long_work (id int)')
      const after = await store()
      expect(await readOn()).toEqual([])
      await idle.query('ROLLBACK')
      expect(await readAll(1)).toEqual([after])
    } finally {
      idle.release()
    }
  })

  test('is read by key, not as a whole', async () => {
    await pool.query(
      'INSERT INTO pipeline.ingest_batches (id, readings) SELECT n, 1 FROM generate_series(1, 5000) n',
    )
    await pool.query('ANALYZE pipeline.ingest_batches')
    const { cursor } = await fullPage(4_000)
    const { rows } = await reader.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT id FROM pipeline.ingest_batches
       WHERE (tx, id) > ('${cursor.tx}'::xid8, ${cursor.batchId}) AND tx < pg_snapshot_xmin(pg_current_snapshot())
       ORDER BY tx, id LIMIT 10`,
    )
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(
      /Index (Only )?Scan using ingest_batches_tx_id_idx/,
    )
  })
})

describe('the cursor', () => {
  test('goes back with the transaction that is rolled back', async () => {
    const id = await store()
    const { cursor } = await openCursor(pool, NAME)
    await reader.query('BEGIN')
    const page = await fullPage()
    await moveCursor(reader, NAME, { from: cursor, to: page.cursor })
    await reader.query('ROLLBACK')
    expect(await readAll(1)).toEqual([id])
  })

  test('is moved by one reader only', async () => {
    await store()
    const { cursor } = await openCursor(pool, NAME)
    const { cursor: to } = await fullPage()
    await moveCursor(reader, NAME, { from: cursor, to })
    await expect(moveCursor(reader, NAME, { from: cursor, to })).rejects.toThrow(
      /another process has read on/,
    )
  })

  test('begins where it is told', async () => {
    await store()
    const { cursor } = await fullPage()
    await openCursor(pool, NAME, cursor)
    const next = await store()
    expect(await readAll(1)).toEqual([next])
  })
})

describe('in a restored cluster', () => {
  const OLD_XIDS = 1_000_000_000_000n

  /** Without the trigger that would say that the cursor was moved just now. */
  async function alter(...statements: string[]): Promise<void> {
    await pool.query(`BEGIN; SET LOCAL session_replication_role = replica; ${statements.join('; ')}; COMMIT`)
  }

  /** As the tables are after a dump of a cluster that has had many more transactions. */
  const restore = () =>
    alter(
      `UPDATE pipeline.ingest_batches SET tx = ((tx::text)::bigint + ${OLD_XIDS})::text::xid8`,
      `UPDATE pipeline.evaluator_cursors SET tx = ((tx::text)::bigint + ${OLD_XIDS})::text::xid8, cluster = 'another'`,
    )

  const ageBatches = `UPDATE pipeline.ingest_batches SET committed_at = committed_at - interval '2 hours'`
  const ageCursor = `UPDATE pipeline.evaluator_cursors SET updated_at = updated_at - interval '2 hours'`

  test('goes on behind what had been read, and with what is new', async () => {
    await store()
    await store()
    await readAll(2)
    await alter(ageBatches)
    const unread = [await store(), await store()]
    await restore()
    const fresh = await store()
    await alter(ageBatches, ageCursor)
    expect(new Set(await readAll(3))).toEqual(new Set([...unread, fresh]))
    expect(await readOn()).toEqual([])
    const next = await store()
    expect(await readAll(1)).toEqual([next])
    // Nor will anything come again when this cluster has had as many transactions.
    const { rows } = await pool.query(
      'SELECT id FROM pipeline.ingest_batches WHERE tx > pg_current_xact_id()',
    )
    expect(rows).toEqual([])
  })

  test('reads what was committed shortly before the dump once more', async () => {
    const id = await store()
    await readAll(1)
    await restore()
    expect(await readAll(1)).toEqual([id])
    expect(await readOn()).toEqual([])
  })

  test('misses nothing that is being committed meanwhile', async () => {
    await store()
    await readAll(1)
    await alter(ageBatches)
    await restore()
    const open = await pool.connect()
    try {
      await open.query('BEGIN')
      await open.query('INSERT INTO pipeline.ingest_batches (id, readings) VALUES (1, 1)')
      expect(await readOn()).toEqual([])
      await open.query('COMMIT')
      expect(await readAll(1)).toEqual([1n])
    } finally {
      open.release()
    }
  })

  test('says so', async () => {
    const open = async () => (await openCursor(pool, NAME)).restored
    expect(await open()).toBe(false)
    await restore()
    expect(await open()).toBe(true)
    expect(await open()).toBe(false)
  })

  test('that nobody had read in the old one, reads all', async () => {
    const ids = [await store(), await store()]
    await alter(
      'DELETE FROM pipeline.evaluator_cursors',
      `UPDATE pipeline.ingest_batches SET tx = ((tx::text)::bigint + ${OLD_XIDS})::text::xid8`,
    )
    expect(new Set(await readAll(2))).toEqual(new Set(ids))
    expect(await readOn()).toEqual([])
    const next = await store()
    expect(await readAll(1)).toEqual([next])
  })

  test('says so also where only its transactions tell', async () => {
    await store()
    await readAll(1)
    await alter(`UPDATE pipeline.evaluator_cursors SET tx = '${OLD_XIDS}'`)
    expect((await openCursor(pool, NAME)).restored).toBe(true)
    expect((await openCursor(pool, NAME)).restored).toBe(false)
  })

  test('has a cursor that a reader from before cannot move', async () => {
    await store()
    const from: LedgerCursor = (await openCursor(pool, NAME)).cursor
    const { cursor: to } = await fullPage()
    await restore()
    await expect(moveCursor(reader, NAME, { from, to })).rejects.toThrow(/or the database was restored/)
  })
})

test('a role without special rights may ask which cluster it is in', async () => {
  const role = `plain_${process.pid}`
  await pool.query(`CREATE ROLE ${role}`)
  try {
    await reader.query(`SET ROLE ${role}`)
    const { rows } = await reader.query('SELECT system_identifier FROM pg_control_system()')
    expect(rows).toHaveLength(1)
  } finally {
    await reader.query('RESET ROLE')
    await pool.query(`DROP ROLE ${role}`)
  }
})
