import { drizzle } from 'drizzle-orm/node-postgres'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensurePartitions } from './partitions.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

let database: TestDatabase
const clients: Client[] = []

async function connect(): Promise<Client> {
  const client = new Client({ connectionString: database.url })
  await client.connect()
  clients.push(client)
  return client
}

beforeAll(async () => {
  database = await createTestDatabase()
})

afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await database?.drop()
})

const READING = `INSERT INTO sensor_readings (device_id, recorded_at, received_at, batch_id, organization_id, source)
  VALUES (1, $1, now(), 1, 1, 'test')`

describe('ensurePartitions', () => {
  it('has been done by the migration, and does nothing when done again', async () => {
    expect(await ensurePartitions(drizzle(await connect()), new Date())).toEqual([])
  })

  it('lets readings in from 2015 until two months ahead, and not before', async () => {
    const client = await connect()
    const ahead = new Date(Date.now() + 61 * 86_400_000)
    for (const at of ['2015-01-01T00:00:00Z', '2019-12-31T23:59:59.999Z', new Date(), ahead]) {
      expect((await client.query(READING, [at])).rowCount).toBe(1)
    }
    await expect(client.query(READING, ['2014-12-31T23:59:59.999Z'])).rejects.toMatchObject({ code: '23514' })
  })

  it('creates what is missing with the indexes of the parent, whatever the time zone of the session', async () => {
    const client = await connect()
    await client.query(`SET timezone = 'Australia/Lord_Howe'; SET datestyle = 'SQL, DMY'`)
    const later = new Date(Date.now() + 400 * 86_400_000)
    const created = await ensurePartitions(drizzle(client), later)
    const month = later.toISOString().slice(0, 7).replace('-', '_')
    expect(created).toContain(`sensor_readings_${month}`)
    expect(created).toContain(`door_events_${month}`)
    const { rows } = await client.query(
      `SELECT count(*)::int AS indexes, count(*) FILTER (WHERE c.reloptions = '{autosummarize=true}')::int AS brin,
         count(h.inhparent)::int AS attached
       FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
       WHERE i.indrelid = 'sensor_readings_${month}'::regclass`,
    )
    expect(rows).toEqual([{ indexes: 2, brin: 1, attached: 2 }])
    expect(await ensurePartitions(drizzle(await connect()), later)).toEqual([])
  })

  it('is done once by two processes at the same time', async () => {
    const later = new Date(Date.now() + 800 * 86_400_000)
    const both = await Promise.all([
      ensurePartitions(drizzle(await connect()), later),
      ensurePartitions(drizzle(await connect()), later),
    ])
    expect(both.filter((created) => created.length === 0)).toHaveLength(1)
    expect(both.flat().length).toBeGreaterThan(0)
  })

  it('does not wait for a transaction that is writing readings', async () => {
    const writer = await connect()
    await writer.query('BEGIN')
    await writer.query(READING, ['2020-06-01T00:00:00Z'])
    const later = new Date(Date.now() + 1_200 * 86_400_000)
    expect((await ensurePartitions(drizzle(await connect()), later)).length).toBeGreaterThan(0)
    await writer.query('COMMIT')
  })

  it('says what to do when a table is in the way, and changes nothing', async () => {
    const client = await connect()
    await client.query('ALTER TABLE sensor_readings DETACH PARTITION sensor_readings_2017')
    const attempt = ensurePartitions(drizzle(client), new Date())
    await expect(attempt).rejects.toThrow(/sensor_readings_2017 should become a partition.*Attach it/)
    await client.query(
      `ALTER TABLE sensor_readings ATTACH PARTITION sensor_readings_2017 FOR VALUES FROM ('2017-01-01Z') TO ('2018-01-01Z')`,
    )
    expect(await ensurePartitions(drizzle(client), new Date())).toEqual([])
  })
})
