import { Pool } from 'pg'
import { pino } from 'pino'
import { Registry as MetricsRegistry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publishRoute } from '../broker/topics.ts'
import type { Arrival } from '../broker/types.ts'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { imbalance } from './books.ts'
import { Ingest } from './ingest.ts'
import { openSpool } from './spool/spool.ts'
import type { Spool } from './spool/types.ts'
import { strangerOf } from './strangers.ts'
import { testArrival, testPrincipal } from './testing/messages.ts'

const SPOOL_BYTES_MAX = 10_000_000

let database: TestDatabase
let pool: Pool
let copyPool: Pool
let fleet: TestFleet
let ingest: Ingest
let spool: Spool
let folder: string
let metrics: MetricsRegistry
const published: { topic: string; payload: string }[] = []

beforeEach(async () => {
  database = await createTestDatabase()
  pool = openPool()
  copyPool = openPool()
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 2, devices: 5, euiPrefix: 'a8' })
  published.length = 0
  folder = await makeTestFolder()
  const log = pino({ level: 'silent' })
  metrics = new MetricsRegistry()
  spool = await openSpool({ folder, bytesMax: SPOOL_BYTES_MAX, ageMaxMs: 3_600_000, now: Date.now, log })
  ingest = new Ingest({
    pool,
    copyPool,
    spool,
    snapshot: undefined,
    routeOf: publishRoute,
    log,
    metrics,
    settings: {
      INGEST_LANES: 1,
      INGEST_BATCH_ROWS_MAX: 1_000,
      INGEST_BATCH_BYTES_MAX: 1_000_000,
      INGEST_BACKLOG_AGE_SECONDS: 300,
      INGEST_BACKLOG_ROWS_MAX: 1_000,
      // Longer than a test may take.
      INGEST_HOLD_MS: 600_000,
      INGEST_RECENT_READINGS_MAX: 100_000,
      LORA_RECENT_FRAMES_MAX: 1_000,
      LORA_FRAME_WINDOW_SECONDS: 600,
      DATABASE_STATEMENT_TIMEOUT_MS: 60_000,
      REGISTRY_REFRESH_MS: 100,
      LOG_IN_LOOKUP_MS: 2_000,
      RECEIPT_GAP_SECONDS: 300,
      REJECTED_RETENTION_DAYS: 30,
      LEDGER_RETENTION_DAYS: 14,
      REJECTED_PER_CLIENT_MAX: 1_000,
      SHUTDOWN_DRAIN_MS: 200,
    },
    publish: async (message) => {
      published.push(message)
    },
    onLogInsChanged: () => {},
  })
  await ingest.start()
})

afterEach(async () => {
  await ingest.stop()
  await spool.close()
  await Promise.all([pool.end(), copyPool.end()])
  await removeTestFolder(folder)
  await database.drop()
})

function openPool(): Pool {
  const opened = new Pool({ connectionString: database.url })
  opened.on('error', () => {})
  return opened
}

function readings(atMs: number) {
  return { readings: [{ device: fleet.devices[0]?.devEui, at: atMs, temperature: 4 }] }
}

/** Resolves to the error that the message was given back with, or undefined when it was acknowledged. */
function accept(payload: unknown, change: Partial<Arrival> = {}): Promise<Error | undefined> {
  return acceptArrival(testArrival(testPrincipal(fleet), 'readings', payload, change))
}

/** The same of a hub that is not in memory. */
function acceptOf(
  hub: string | undefined,
  payload: unknown,
  channel: 'readings' | 'status' = 'readings',
): Promise<Error | undefined> {
  return acceptArrival(testArrival(strangerOf(hub ?? ''), channel, payload))
}

function acceptArrival(arrival: Arrival): Promise<Error | undefined> {
  return new Promise((resolve) => ingest.accept(arrival, resolve))
}

/** A message that the spool has no room for. */
function tooLargeForSpool(payload: object): string {
  return JSON.stringify(payload) + ' '.repeat(SPOOL_BYTES_MAX)
}

/** The receipt marks in the ledger, of all batches. */
async function receiptMarks(): Promise<unknown[]> {
  const { rows } = await pool.query<{ receipts: unknown[] }>(
    'SELECT receipts FROM pipeline.ingest_batches WHERE receipts IS NOT NULL ORDER BY id',
  )
  return rows.flatMap(({ receipts }) => receipts)
}

/** Transactions that the database has rolled back, those of the last moment included. */
async function rolledBack(): Promise<number> {
  const flushed = await copyPool.connect()
  await flushed.query('SELECT pg_stat_force_next_flush()')
  flushed.release()
  const { rows } = await pool.query<{ count: string }>(
    'SELECT xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()',
  )
  return Number(rows[0]?.count)
}

test('what the database refuses beside rows gives back its own message alone, and the books still balance', async () => {
  // No organization can have this id: the reject's row is refused with 22003.
  const stranger = { ...testPrincipal(fleet), organizationId: 3_000_000_000 }
  const now = Date.now()
  const answers = await Promise.all([
    accept(readings(now)),
    accept('not JSON', { principal: stranger }),
    accept(readings(now + 1)),
    accept('not JSON either'),
  ])
  expect(answers.map((answer) => answer !== undefined)).toEqual([false, true, false, false])
  const stored = await pool.query('SELECT 1 FROM sensor_readings')
  expect(stored.rowCount).toBe(2)
  const account = ingest.books.readings
  expect(account).toMatchObject({ received: 4, returned: 1, inFlight: 0 })
  expect(account.committed + account.duplicate).toBe(2)
  expect(imbalance(account)).toBe(0)
  expect(published.map(({ topic }) => topic)).toEqual(['v1/hubs/test-hub-1/rejected'])
})

test.each([
  ['that came a moment ago', false],
  ['with the DUP flag', true],
])('a resend %s is stored once and does not send its batch the slow way', async (_what, dup) => {
  const now = Date.now()
  if (dup) {
    // Stored by somebody else: nothing here remembers it.
    await pool.query(
      `INSERT INTO sensor_readings (device_id, unit_id, recorded_at, received_at, batch_id, organization_id, temperature, source)
       VALUES ($1, $2, to_timestamp($3::float8 / 1000), now(), 1, $4, 4, 'hub')`,
      [fleet.devices[0]?.id, fleet.unitId, now, fleet.organizationId],
    )
  } else {
    await accept(readings(now))
  }
  const rollbacks = await rolledBack()
  await Promise.all([accept(readings(now), { dup }), accept(readings(now + 1)), accept(readings(now + 2))])
  expect((await pool.query('SELECT 1 FROM sensor_readings')).rowCount).toBe(3)
  expect(ingest.books.readings).toMatchObject({ duplicate: 1, inFlight: 0 })
  expect(imbalance(ingest.books.readings)).toBe(0)
  expect(await rolledBack()).toBe(rollbacks)
})

test('a stop does not wait for a database that does not commit; the message goes back unacknowledged', async () => {
  const other = await pool.connect()
  await other.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
  const answer = accept(readings(Date.now()))
  while (ingest.oldestBatchSeconds() === 0) await new Promise((resolve) => setImmediate(resolve))
  await ingest.stop()
  expect(await answer).toBeInstanceOf(Error)
  expect(ingest.books.readings).toMatchObject({ inFlight: 0, returned: 1 })
  await other.query('ROLLBACK')
  other.release()
})

test('a device added a moment ago is known at first sight', async () => {
  const added = await pool.query<{ eui: string }>(
    `INSERT INTO devices (organization_id, unit_id, device_eui, device_type, status)
     VALUES ($1, $2, 'c800000000000001', 'temperature', 'active') RETURNING device_eui AS eui`,
    [fleet.organizationId, fleet.unitId],
  )
  const device = added.rows[0]?.eui
  expect(await accept({ device, temperature: 4 })).toBeUndefined()
  expect(ingest.books.readings).toMatchObject({ committed: 1 })
})

test('a hub that was not known when its message was read from another broker is asked of the database', async () => {
  const [known, nowhere] = [strangerOf(fleet.hubs[0]?.key ?? ''), strangerOf('hub-nowhere')]
  const at = Date.now()
  expect(await accept(readings(at), { principal: known })).toBeUndefined()
  expect(await accept(readings(at + 1), { principal: nowhere })).toBeUndefined()
  expect(ingest.books.readings).toMatchObject({ received: 2, committed: 1, inFlight: 0 })
  expect(ingest.books.readings.rejected.unknown_device).toBe(1)
})

test('a hub that could not be looked up at first, while the spool had no room, has its receipts and its place in the backlog', async () => {
  const hub = fleet.hubs[0]
  const old = Date.now() - 3_600_000
  ingest.noteAway('the test says so')
  const payload = tooLargeForSpool({ boot: 'a1', seq: 7, ...readings(old) })
  expect(await acceptOf(hub?.key, payload)).toBeUndefined()
  expect(await receiptMarks()).toEqual([[hub?.id, 'a1', 7, 7]])
  const backlog = await metrics.getSingleMetric('frostguard_backlog_messages_total')?.get()
  expect(backlog?.values).toMatchObject([{ value: 1 }])
  expect(ingest.books.readings).toMatchObject({ received: 1, committed: 1, inFlight: 0, spooledTotal: 0 })
  expect(imbalance(ingest.books.readings)).toBe(0)
})

test('a hub that could not be looked up at first, while the spool had no room, has its status', async () => {
  const hub = fleet.hubs[0]
  ingest.noteAway('the test says so')
  await acceptOf(hub?.key, tooLargeForSpool({ state: 'online' }), 'status')
  const { rows } = await pool.query('SELECT key FROM hubs WHERE is_online')
  expect(rows).toEqual([{ key: hub?.key }])
  expect(imbalance(ingest.books.status)).toBe(0)
  expect(ingest.books.status).toMatchObject({ received: 0, inFlight: 0 })
})

test.each([
  ['there', false],
  ['away', true],
])('the status of a hub that nobody knows is set aside, the database being %s', async (_what, isAway) => {
  if (isAway) ingest.noteAway('the test says so')
  expect(await acceptOf('hub-nowhere', { state: 'online' }, 'status')).toBeUndefined()
  expect(ingest.books.status.spooledTotal).toBe(isAway ? 1 : 0)
  await until('it is set aside', () => ingest.books.status.rejected.unknown_device === 1)
  const { rows } = await pool.query('SELECT client, reason FROM pipeline.rejected_messages')
  expect(rows).toEqual([{ client: 'hub-nowhere', reason: 'unknown_device' }])
  expect(ingest.books.status).toMatchObject({ received: 1, inFlight: 0, spooled: 0 })
  expect(imbalance(ingest.books.status)).toBe(0)
})

test('the counters of hubs that nobody knows are not taken for those of one hub', async () => {
  for (const [index, name] of ['nowhere-1', 'nowhere-2'].entries())
    await acceptOf(name, { boot: 'a1', seq: index, ...readings(Date.now()) })
  expect(ingest.books.readings.rejected.unknown_device).toBe(2)
  expect(await receiptMarks()).toEqual([])
})

test.each(['hub', 'device'])(
  'while the database is known to be away, nobody waits for the look-up of a %s: the spool takes the message',
  async (unknown) => {
    const locker = await pool.connect()
    try {
      // The ledger too: the probe of the drain waits, so that the gate stays as it is.
      await locker.query(
        'BEGIN; LOCK TABLE public.hubs, public.devices, pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE',
      )
      ingest.noteAway('the test says so')
      const at = Date.now()
      if (unknown === 'hub') await acceptOf('hub-nowhere', readings(at))
      else await accept({ device: 'c800000000000009', at, temperature: 4 })
      expect(ingest.books.readings).toMatchObject({ received: 1, spooled: 1, inFlight: 0 })
    } finally {
      await locker.query('ROLLBACK')
      locker.release()
    }
    await until('it is set aside', () => ingest.books.readings.rejected.unknown_device === 1)
    expect(imbalance(ingest.books.readings)).toBe(0)
  },
)

test('a topic that bears the name of a network server does not speak for it', async () => {
  await pool.query(
    `INSERT INTO pipeline.network_servers (organization_id, key, name, credential_hash) VALUES ($1, 'added', 'Added', 'none')`,
    [fleet.organizationId],
  )
  expect(await accept(readings(Date.now()), { principal: strangerOf('ns:added') })).toBeUndefined()
  expect(ingest.books.readings).toMatchObject({ committed: 0, inFlight: 0 })
  expect(ingest.books.readings.rejected.unknown_device).toBe(1)
})

test('a client that floods with what is rejected is cut to its share at once, not once a minute', async () => {
  const bad = { readings: Array.from({ length: 1_000 }, () => ({ device: 'nobody' })) }
  for (let message = 0; message < 3; message++) expect(await accept(bad)).toBeUndefined()
  expect(ingest.books.readings.rejected.invalid).toBe(3_000)
  await until('it has its share', async () => {
    const { rows } = await pool.query<{ n: number }>(
      'SELECT count(*)::int AS n FROM pipeline.rejected_messages',
    )
    return rows[0]?.n === 1_000
  })
})
