import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { lookAtBrokers } from '../evaluation/broker-downtime.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { noteBroker } from './brokers.ts'

const HOUR_MS = 3_600_000

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
beforeEach(() => pool.query('TRUNCATE pipeline.brokers, pipeline.downtime_intervals'))

const note = (id: string) => noteBroker(pool, { id, keptMs: HOUR_MS })

/** As if it had last been noted so long ago. */
const seen = (id: string, minutesAgo: number) =>
  pool.query(`UPDATE pipeline.brokers SET seen_at = now() - $2 * interval '1 minute' WHERE id = $1`, [
    id,
    minutesAgo,
  ])

async function downtimes(): Promise<(number | null)[]> {
  const { rows } = await pool.query<{ minutes: number | null }>(
    `SELECT round(extract(epoch FROM ended_at - started_at) / 60)::int AS minutes
     FROM pipeline.downtime_intervals WHERE part = 'broker' ORDER BY id`,
  )
  return rows.map(({ minutes }) => minutes)
}

test('the time in which no broker was there is downtime, one that is short is not', async () => {
  await note('a')
  await seen('a', 0.5)
  await note('a')
  expect(await downtimes()).toEqual([])
  await seen('a', 30)
  await note('a')
  expect(await downtimes()).toEqual([30])
})

test('while another one is there it is none; from the last one on it is', async () => {
  await note('a')
  await note('b')
  await seen('a', 30)
  await note('a')
  expect(await downtimes()).toEqual([])
  await seen('a', 30)
  await seen('b', 10)
  await note('c')
  expect(await downtimes()).toEqual([10])
})

test('an evaluator that misses the last one begins the downtime, once, and the first that is back ends it', async () => {
  expect(await lookAtBrokers(pool)).toBe('none')
  await note('a')
  expect(await lookAtBrokers(pool)).toBe('none')
  await seen('a', 15)
  const lasting = await lookAtBrokers(pool)
  expect(lasting).toMatch(/ lasts$/)
  expect(await lookAtBrokers(pool)).toBe(lasting)
  expect(await downtimes()).toEqual([null])
  await note('b')
  expect(await downtimes()).toEqual([15])
  expect(await lookAtBrokers(pool)).toMatch(/ is over$/)
  await seen('a', 5)
  await seen('b', 5)
  expect(await lookAtBrokers(pool)).toMatch(/ lasts$/)
  expect(await downtimes()).toEqual([15, null])
})

test('a new one begins where the others are; one that is away for long is forgotten by those that are there', async () => {
  expect(await note('a')).toBe(0)
  await pool.query(`UPDATE pipeline.brokers SET published_id = 7`)
  expect(await note('b')).toBe(7)
  expect(await note('a')).toBe(7)
  await pool.query(`UPDATE pipeline.brokers SET published_id = 9 WHERE id = 'b'`)
  await seen('a', 59)
  await note('b')
  expect(await note('a')).toBe(7)
  await seen('a', 61)
  await note('b')
  expect((await pool.query('SELECT id FROM pipeline.brokers')).rows).toEqual([{ id: 'b' }])
  expect(await note('a')).toBe(9)
  await seen('a', 61)
  // Nobody else is there to forget it.
  await seen('b', 61)
  expect(await note('a')).toBe(9)
})
