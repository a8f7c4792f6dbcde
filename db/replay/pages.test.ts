import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { openReplayScope, type RejectedPage, type ReplayScope, rejectedPage } from './pages.ts'

const MIB = 1024 * 1024

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** Payloads of so many bytes, each with so many rejected items. */
async function reject(payloads: number, options: { items: number; bytes: number }): Promise<void> {
  await pool.query('TRUNCATE pipeline.rejected_payloads CASCADE')
  await pool.query(
    `WITH added AS (
       INSERT INTO pipeline.rejected_payloads (batch_id, topic, client, received_at, size_bytes, payload)
       SELECT 1, 't', 'hub-1', now(), $2, convert_to(repeat('x', $2), 'UTF8') FROM generate_series(1, $1) RETURNING id
     )
     INSERT INTO pipeline.rejected_messages (payload_id, reason, detail, item, topic, client, received_at)
     SELECT id, 'invalid', 'd', item, 't', 'hub-1', now() FROM added, generate_series(1, $3) item ORDER BY id, item`,
    [payloads, options.bytes, options.items],
  )
}

async function pages(itemsMax = Number.MAX_SAFE_INTEGER, scope?: ReplayScope): Promise<RejectedPage[]> {
  const all: RejectedPage[] = []
  const from = scope ?? (await openReplayScope(pool))
  let afterId = '0'
  for (;;) {
    const page = await rejectedPage(pool, {}, { ...from, afterId, itemsMax })
    if (!page) return all
    all.push(page)
    afterId = page.entries.at(-1)?.id ?? ''
  }
}

test('a page has at most 1,000 items, every item is on one page, in order', async () => {
  await reject(5, { items: 500, bytes: 10 })
  const found = await pages()
  expect(found.map(({ entries }) => entries.length)).toEqual([1_000, 1_000, 500])
  expect(found.map(({ payloads }) => payloads.size)).toEqual([2, 2, 1])
  const ids = found.flatMap(({ entries }) => entries.map(({ id }) => Number(id)))
  expect(ids).toEqual(ids.toSorted((a, b) => a - b))
  expect(new Set(ids).size).toBe(2_500)
})

test('a page has at most 4 MiB of payloads, each counted once, but at least one', async () => {
  await reject(5, { items: 3, bytes: 2 * MIB })
  expect((await pages()).map(({ payloads }) => payloads.size)).toEqual([2, 2, 1])
  await reject(2, { items: 2, bytes: 5 * MIB })
  expect((await pages()).map(({ payloads }) => payloads.size)).toEqual([1, 1])
})

test('a page has no more than is asked for', async () => {
  await reject(1, { items: 5, bytes: 10 })
  expect((await pages(2)).map(({ entries }) => entries.length)).toEqual([2, 2, 1])
})

test('what is rejected after the beginning is left for the next run, as is what another run has looked at', async () => {
  await reject(1, { items: 3, bytes: 10 })
  const scope = await openReplayScope(pool)
  await pool.query(
    `INSERT INTO pipeline.rejected_messages (payload_id, reason, detail, item, topic, client, received_at)
     SELECT payload_id, reason, detail, 9, topic, client, received_at FROM pipeline.rejected_messages LIMIT 1`,
  )
  await pool.query('UPDATE pipeline.rejected_messages SET replayed_at = clock_timestamp() WHERE item = 2')
  const items = (found: RejectedPage[]) => found.flatMap(({ entries }) => entries.map(({ item }) => item))
  expect(items(await pages(10, scope))).toEqual([1, 3])
  expect(items(await pages(10))).toEqual([1, 2, 3, 9])
})
