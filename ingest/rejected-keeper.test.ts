import { Pool } from 'pg'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { RejectedKeeper } from './rejected-keeper.ts'

const SHARE = 100

let database: TestDatabase
let pool: Pool
let keeper: RejectedKeeper

beforeAll(async () => {
  database = await createTestDatabase()
  // One connection: what is asked for first is done first.
  pool = new Pool({ connectionString: database.url, max: 1 })
})
beforeEach(async () => {
  await pool.query('TRUNCATE pipeline.rejected_messages, pipeline.rejected_payloads')
  const log = pino({ level: 'silent' })
  keeper = new RejectedKeeper({ pool, log, retentionDays: 30, perClientMax: SHARE })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

/** A message with so many rejected items, committed and told to the keeper. */
async function reject(client: string, items: number): Promise<void> {
  await pool.query(
    `WITH payload AS (
       INSERT INTO pipeline.rejected_payloads (batch_id, topic, client, received_at, size_bytes, payload)
       VALUES (1, 't', $1, now(), 1, 'x') RETURNING id
     )
     INSERT INTO pipeline.rejected_messages (payload_id, reason, detail, topic, client, received_at)
     SELECT id, 'invalid', 'd', 't', $1, now() FROM payload, generate_series(1, $2)`,
    [client, items],
  )
  keeper.written(client, items)
}

async function kept(): Promise<Record<string, { items: number; payloads: number }>> {
  const { rows } = await pool.query<{ client: string; items: number; payloads: number }>(
    `SELECT p.client, count(m.id)::int AS items, count(DISTINCT p.id)::int AS payloads
     FROM pipeline.rejected_payloads p LEFT JOIN pipeline.rejected_messages m ON m.payload_id = p.id GROUP BY p.client`,
  )
  return Object.fromEntries(rows.map(({ client, ...counts }) => [client, counts]))
}

test('a client that floods is cut to its share, with its payloads; the others keep theirs', async () => {
  await reject('quiet', 5)
  for (let message = 0; message < 40; message++) await reject('loud', 10)
  await until('it is cut', async () => (await kept())['loud']?.payloads === 10)
  expect(await kept()).toEqual({ loud: { items: SHARE, payloads: 10 }, quiet: { items: 5, payloads: 1 } })
})

test('it is never far above its share: a tenth of it, and what is asked for before the deletion', async () => {
  const counts: number[] = []
  for (let message = 0; message < 40; message++) {
    await reject('loud', 5)
    counts.push((await kept())['loud']?.items ?? 0)
  }
  await keeper.stop()
  expect(Math.max(...counts)).toBeGreaterThan(SHARE)
  expect(Math.max(...counts)).toBeLessThanOrEqual(SHARE + 2 * (SHARE / 10))
})
