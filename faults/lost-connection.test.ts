/** A connection to PostgreSQL that work of any length uses is lost without a word: the work fails, and is done again. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { migrateDatabase } from '../db/migrate.ts'
import { onOwnConnection } from '../db/own-connection.ts'
import { keepPartitions } from '../db/partition-keeper.ts'
import { mayPass } from '../db/prepare.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, execute, type TestDatabase } from '../db/testing/test-database.ts'
import { startUrlProxy, type TcpProxy } from './testing/tcp-proxy.ts'

const BLACK_HOLE = { toClient: { isBlackHole: true }, toTarget: { isBlackHole: true } }

let database: TestDatabase
let proxy: TcpProxy
let url: string
const cleanups: (() => void)[] = []

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

beforeEach(async () => {
  const through = await startUrlProxy(database.url)
  proxy = through.proxy
  url = through.url
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup()
  await proxy.close()
})

/** On the port of the proxy, which must refuse: its open connections keep their faults. */
async function passNewConnections(): Promise<void> {
  const { hostname, port } = new URL(database.url)
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) socket.on('error', () => {})
  })
  server.listen(proxy.port, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
}

const run = <T>(work: (client: Client) => Promise<T>, signal?: AbortSignal) =>
  onOwnConnection({ url, applicationName: 'frostguard test', ...(signal && { signal }) }, work)

const failureOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => undefined,
    (error: unknown) => error,
  )

test('cut off without a word, the server with it: fails, and may pass', async () => {
  const failure = await failureOf(
    run(async (client) => {
      proxy.setFaults(BLACK_HOLE)
      await proxy.accept('refuse')
      await client.query('SELECT 1')
    }),
  )
  expect(String(failure)).toMatch(/is silent and was cut: the server does not answer over another one either/)
  expect(mayPass(failure)).toBe(true)
})

test('its answer lost, while others have theirs: fails, and may pass', async () => {
  const failure = await failureOf(
    run(async (client) => {
      proxy.setFaults(BLACK_HOLE)
      await proxy.accept('refuse')
      await passNewConnections()
      await client.query('SELECT 1')
    }),
  )
  expect(String(failure)).toMatch(/is silent and was cut: the server has answered and it did not arrive/)
  expect(mayPass(failure)).toBe(true)
})

test('an answer that takes long is waited for while the server works on it', async () => {
  const { rows } = await run((client) => client.query(`SELECT 'late' AS came FROM pg_sleep(7)`))
  expect(rows).toEqual([{ came: 'late' }])
})

test('says what the server said last', async () => {
  const failure = await failureOf(
    run(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await execute(database.url, `SELECT pg_terminate_backend(${rows[0]?.pid})`)
      await client.query('SELECT 1')
    }),
  )
  expect(failure).toMatchObject({ code: '57P01' })
})

test('an end that is not confirmed is not waited for', async () => {
  const done = run(async () => {
    proxy.setFaults(BLACK_HOLE)
    return 'done'
  })
  expect(await done).toBe('done')
})

test('an abort ends an attempt to connect, and work under way', async () => {
  await proxy.accept('hang')
  const connecting = new AbortController()
  const attempt = failureOf(run(async () => undefined, connecting.signal))
  const waiting = new AbortController()
  const another = failureOf(run(async () => undefined, waiting.signal))
  await until('it connects', () => proxy.counts.hung === 2)
  connecting.abort()
  // The other one, begun with it, waits for its limit.
  expect(await Promise.race([attempt.then(() => 'aborted'), another.then(() => 'timed out')])).toBe('aborted')
  waiting.abort()
  await another

  await proxy.accept('pass')
  const working = new AbortController()
  const work = failureOf(run((client) => client.query('SELECT pg_sleep(600)'), working.signal))
  await until('it works', () => proxy.counts.bytesToClient > 0)
  working.abort()
  expect(await work).toBeInstanceOf(Error)
})

describe('while somebody holds the tables', () => {
  let holder: Client
  /** Outside the holder's transaction, which would see one state of pg_stat_activity. */
  let observer: Client

  beforeEach(async () => {
    holder = new Client({ connectionString: database.url })
    observer = new Client({ connectionString: database.url })
    await Promise.all([holder.connect(), observer.connect()])
    // The second is the turn of a migration.
    await holder.query(
      'BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE; SELECT pg_advisory_xact_lock(7263, 1)',
    )
  })
  afterEach(() => Promise.all([holder.end(), observer.end()]))

  async function cutOffWhileWaiting(applicationName: string): Promise<void> {
    await until('it waits', async () => {
      const waiting = await observer.query(
        `SELECT FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'
           AND datname = current_database()`,
        [applicationName],
      )
      return waiting.rows.length > 0
    })
    proxy.setFaults(BLACK_HOLE)
    await proxy.accept('refuse')
  }

  test('a migration fails, and may pass', async () => {
    const failure = failureOf(migrateDatabase(url))
    await cutOffWhileWaiting('frostguard migrate')
    expect(String(await failure)).toMatch(/is silent and was cut/)
    expect(mayPass(await failure)).toBe(true)
  })

  test('partitions are not kept, which is said, and kept when the network is back', async () => {
    const errors: string[] = []
    const log = { info() {}, warn() {}, error: (message: string) => void errors.push(message) }
    const keeper = keepPartitions(url, log, 100)
    try {
      await cutOffWhileWaiting('frostguard partitions')
      await until('it is said', () =>
        errors.some((line) => /partitions not kept, trying again.*is silent and was cut/.test(line)),
      )
      await holder.query('ROLLBACK')
      const { rows } = await holder.query<{ name: string }>(
        `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'door_events'::regclass
         ORDER BY inhrelid DESC LIMIT 1`,
      )
      const name = rows[0]?.name ?? ''
      await holder.query(`DROP TABLE ${name}`)
      proxy.setFaults({})
      await proxy.accept('pass')
      await until('it is made again', async () => {
        const there = await holder.query('SELECT WHERE to_regclass($1) IS NOT NULL', [name])
        return there.rows.length > 0
      })
    } finally {
      await keeper.stop()
    }
  })
})
