import { Pool } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keepPartitions } from './partition-keeper.ts'
import { createTestFleet } from './testing/fleet.ts'
import { until } from './testing/poll.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

let database: TestDatabase
let pool: Pool
const lines: string[] = []
const log = {
  info: (message: string) => void lines.push(message),
  warn: (message: string) => void lines.push(message),
  error: (message: string) => void lines.push(`error: ${message}`),
}

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
})

afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

it('narrows and closes at start, and says so', async () => {
  await createTestFleet(pool, { slug: 'grown', hubs: 1, devices: 1_000, euiPrefix: 'c0' })
  await pool.query(
    `CREATE UNIQUE INDEX sensor_readings_2016_time_key ON sensor_readings_2016 (recorded_at, device_id);
     DROP INDEX sensor_readings_2016_device_key`,
  )
  const keeper = keepPartitions(database.url, log)
  const narrowed = /^the fleet has grown: 14 narrower partitions from sensor_readings_\d{4}_\d\d_\d\d on$/
  await until('2016 is closed', () => lines.includes('partition sensor_readings_2016 closed'))
  await until('narrower ones are made', () => lines.some((line) => narrowed.test(line)))
  await keeper.stop()
  expect(lines).toEqual([expect.stringMatching(narrowed), 'partition sensor_readings_2016 closed'])
})

it('says when it cannot, and goes on', async () => {
  const url = new URL(database.url)
  url.pathname = '/no_such_database'
  const keeper = keepPartitions(url.href, log)
  await until('the failure is reported', () =>
    lines.some((line) => /^error: partitions not kept, trying again.*no_such_database/.test(line)),
  )
  await keeper.stop()
})

it('stops in the middle of its work', async () => {
  const holder = await pool.connect()
  await holder.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
  try {
    const keeper = keepPartitions(database.url, log)
    await until('it waits for the lock', async () => {
      const waiting = await pool.query(
        `SELECT FROM pg_stat_activity WHERE application_name = 'frostguard partitions' AND wait_event_type = 'Lock'`,
      )
      return waiting.rows.length > 0
    })
    const before = lines.length
    await keeper.stop()
    expect(lines).toHaveLength(before)
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
  }
})

it('makes new partitions also while closing waits for a transaction that somebody left open', async () => {
  const isThere = async (name: string) =>
    (await pool.query(`SELECT WHERE to_regclass($1) IS NOT NULL`, [name])).rowCount === 1
  await pool.query(
    `CREATE UNIQUE INDEX sensor_readings_2017_time_key ON sensor_readings_2017 (recorded_at, device_id);
     DROP INDEX sensor_readings_2017_device_key`,
  )
  const idle = await pool.connect()
  await idle.query('BEGIN; SELECT count(*) FROM sensor_readings')
  const keeper = keepPartitions(database.url, log, 100)
  try {
    await until('closing waits', async () => {
      const waiting = await pool.query(
        `SELECT FROM pg_stat_activity WHERE query LIKE 'DROP INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'`,
      )
      return waiting.rowCount === 1
    })
    const { rows } = await pool.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'door_events'::regclass
       ORDER BY inhrelid DESC LIMIT 1`,
    )
    const name = rows[0]?.name ?? ''
    await pool.query(`DROP TABLE ${name}`)
    await until('it is made again', () => isThere(name))
    expect(await isThere('sensor_readings_2017_time_key')).toBe(true)
    await idle.query('ROLLBACK')
    await until('it is closed then', () => lines.includes('partition sensor_readings_2017 closed'))
  } finally {
    idle.release()
    await keeper.stop()
  }
})
