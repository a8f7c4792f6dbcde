import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closePartitions } from './partition-closing.ts'
import { PARTITION_KEYS, type PartitionKeys } from './partition-keys.ts'
import { ensurePartitions, narrowPartitions } from './partitions.ts'
import { createTestFleet } from './testing/fleet.ts'
import { until } from './testing/poll.ts'
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

  it('creates what is missing with the indexes of the parent and a key, whatever the time zone of the session', async () => {
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
    expect(rows).toEqual([{ indexes: 2, brin: 1, attached: 1 }])
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

describe('the key of each partition', () => {
  it('is time first while its time goes on, and device first where it has passed', async () => {
    const keys = await keysOf(await connect())
    const past = keys.find(({ partition }) => partition === 'sensor_readings_2019')
    expect(past).toMatchObject({ open: null, closed: 'sensor_readings_2019_device_key' })
    const present = partitionName(new Date())
    expect(keys.find(({ partition }) => partition === present)).toMatchObject({
      open: `${present}_time_key`,
      closed: null,
    })
  })

  it('makes device and time unique in every partition', async () => {
    const client = await connect()
    for (const at of [
      '2016-05-01T00:00:00Z',
      new Date(Date.now() - 1_000),
      new Date(Date.now() + 80_000_000),
    ]) {
      await client.query(READING, [at])
      await expect(client.query(READING, [at])).rejects.toMatchObject({ code: '23505' })
    }
  })

  it('is asked for where a partition was attached without one', async () => {
    const client = await connect()
    await client.query('DROP INDEX sensor_readings_2018_device_key')
    const sentence =
      /sensor_readings_2018 has no unique index over device and time.*Create it: (CREATE UNIQUE INDEX .*)/
    const error = await ensurePartitions(drizzle(client), new Date()).catch((caught: Error) => caught)
    expect(error).toMatchObject({ message: expect.stringMatching(sentence) })
    await client.query(sentence.exec((error as Error).message)?.[1] ?? '')
    expect(await ensurePartitions(drizzle(client), new Date())).toEqual([])
  })
})

describe('closePartitions', () => {
  const twoMonthsOn = new Date(Date.now() + 63 * 86_400_000)

  it('turns the key of what has passed round, while somebody writes there', async () => {
    const client = await connect()
    const writer = await connect()
    const at = new Date(Date.now() - 5_000)
    await writer.query(READING, [at])
    const closed = await closePartitions(client, twoMonthsOn)
    const name = partitionName(at)
    expect(closed).toContain(name)
    expect((await keysOf(client)).find(({ partition }) => partition === name)).toMatchObject({
      open: null,
      closed: `${name}_device_key`,
      invalid: null,
    })
    await expect(writer.query(READING, [at])).rejects.toMatchObject({ code: '23505' })
    expect(await closePartitions(client, twoMonthsOn)).toEqual([])
  })

  it('builds again what was interrupted', async () => {
    const client = await connect()
    const name = partitionName(new Date(Date.now() - 5_000))
    await closePartitions(client, twoMonthsOn)
    await client.query(`CREATE UNIQUE INDEX ${name}_time_key ON ${name} (recorded_at, device_id)`)
    await client.query(
      `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '${name}_device_key'::regclass`,
    )
    expect(await closePartitions(client, twoMonthsOn)).toEqual([name])
    expect((await keysOf(client)).find(({ partition }) => partition === name)).toMatchObject({
      open: null,
      closed: `${name}_device_key`,
      invalid: null,
    })
  })

  it("leaves somebody's own index alone, which may be under construction", async () => {
    const client = await connect()
    await client.query(
      'CREATE UNIQUE INDEX theirs ON sensor_readings_2015 (batch_id, device_id, recorded_at)',
    )
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'theirs'::regclass`)
    expect(await closePartitions(client, new Date())).toEqual([])
    await client.query('DROP INDEX theirs')
  })

  it('closes one whose name somebody chose with capitals', async () => {
    const client = await connect()
    await client.query(`ALTER TABLE sensor_readings_2016 RENAME TO "Readings of 2016";
      DROP INDEX sensor_readings_2016_device_key;
      CREATE UNIQUE INDEX ON "Readings of 2016" (recorded_at, device_id)`)
    expect(await closePartitions(client, new Date())).toEqual(['Readings of 2016'])
    await client.query(`ALTER TABLE "Readings of 2016" RENAME TO sensor_readings_2016`)
  })

  it('goes on with the others where one fails, and names that one', async () => {
    const client = await connect()
    const later = new Date(Date.now() + 2_000 * 86_400_000)
    const before = (await keysOf(client)).filter(({ closed }) => closed === null)
    const [first, ...others] = before.map(({ partition }) => partition)
    // The name of the index that closing would make is taken.
    await client.query(`CREATE TABLE ${first}_device_key (id int)`)
    await expect(closePartitions(client, later)).rejects.toThrow(
      new RegExp(`^not closed: ${first}: .*already exists`),
    )
    const after = (await keysOf(client))
      .filter(({ closed }) => closed === null)
      .map(({ partition }) => partition)
    expect(others.length).toBeGreaterThan(0)
    expect(after).toEqual([first])
    await client.query(`DROP TABLE ${first}_device_key`)
  })

  it('passes over one that somebody drops while it looks', async () => {
    const [client, other] = [await connect(), await connect()]
    await other.query('BEGIN; DROP TABLE sensor_readings_2018')
    const closing = closePartitions(client, new Date())
    await until('it waits for who drops it', async () => {
      const { rowCount } = await other.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      return rowCount === 1
    })
    await other.query('COMMIT')
    expect(await closing).toEqual([])
    expect(await ensurePartitions(drizzle(client), new Date())).toContain('sensor_readings_2018')
  })

  it('leaves it to the process that does it already', async () => {
    const other = await connect()
    await other.query('SELECT pg_advisory_lock(7263, 3)')
    expect(await closePartitions(await connect(), new Date(Date.now() + 1_000 * 86_400_000))).toEqual([])
    await other.query('SELECT pg_advisory_unlock(7263, 3)')
  })
})

describe('narrowPartitions', () => {
  let grown: TestDatabase

  beforeAll(async () => {
    grown = await createTestDatabase()
  })

  afterAll(async () => {
    await grown?.drop()
  })

  it('makes partitions for a fleet that has grown, and keeps every reading', async () => {
    const pool = new Pool({ connectionString: grown.url })
    try {
      const now = new Date()
      expect(await narrowPartitions(drizzle(pool), now)).toEqual([])
      await createTestFleet(pool, { slug: 'large', hubs: 1, devices: 1_000, euiPrefix: 'b0' })
      const at = [-86_400_000, 0, 3_600_000, 80_000_000].map((ms) => new Date(now.getTime() + ms))
      for (const time of at) await pool.query(READING, [time])

      const created = await narrowPartitions(drizzle(pool), now)
      const tomorrow = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1))
      expect(created[0]).toBe(`sensor_readings_${tomorrow.toISOString().slice(0, 10).replaceAll('-', '_')}`)
      expect(created).toHaveLength(14)
      const { rows } = await pool.query('SELECT recorded_at FROM sensor_readings ORDER BY 1')
      expect(rows.map((row) => row.recorded_at)).toEqual(at)
      for (const time of at)
        await expect(pool.query(READING, [time])).rejects.toMatchObject({ code: '23505' })
      expect(await narrowPartitions(drizzle(pool), now)).toEqual([])
      expect(await ensurePartitions(drizzle(pool), now)).toEqual([])
    } finally {
      await pool.end()
    }
  })

  it('gives up soon when somebody holds the table, and changes nothing', async () => {
    const pool = new Pool({ connectionString: grown.url })
    const holder = await pool.connect()
    try {
      await createTestFleet(pool, { slug: 'larger', hubs: 1, devices: 9_000, euiPrefix: 'b1' })
      await holder.query('BEGIN; SELECT count(*) FROM sensor_readings')
      await expect(narrowPartitions(drizzle(pool), new Date())).rejects.toMatchObject({
        cause: { code: '55P03' },
      })
      await holder.query('COMMIT')
    } finally {
      holder.release()
      await pool.end()
    }
  })

  it('is refused at once while a partition is being closed, and lets writers write', async () => {
    const pool = new Pool({ connectionString: grown.url })
    const holder = await pool.connect()
    const client = new Client({ connectionString: grown.url })
    try {
      await client.connect()
      await pool.query(
        `CREATE UNIQUE INDEX sensor_readings_2016_time_key ON sensor_readings_2016 (recorded_at, device_id);
         DROP INDEX sensor_readings_2016_device_key`,
      )
      await holder.query('BEGIN; SELECT count(*) FROM sensor_readings_2016')
      const closing = closePartitions(client, new Date())
      await until('closing waits', async () => {
        const waiting = await pool.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        )
        return waiting.rowCount === 1
      })
      await expect(narrowPartitions(drizzle(pool), new Date())).rejects.toThrow(/is being closed/)
      await pool.query(READING, [new Date('2016-05-01')])
      await holder.query('COMMIT')
      expect(await closing).toEqual(['sensor_readings_2016'])
      expect((await narrowPartitions(drizzle(pool), new Date()))[0]).toMatch(/_q[1-4]$/)
    } finally {
      holder.release()
      await client.end()
      await pool.end()
    }
  })
})

async function keysOf(client: Client): Promise<PartitionKeys[]> {
  const { rows } = await drizzle(client).execute<PartitionKeys & Record<string, unknown>>(PARTITION_KEYS)
  return rows
}

function partitionName(at: Date): string {
  return `sensor_readings_${at.toISOString().slice(0, 7).replace('-', '_')}`
}
