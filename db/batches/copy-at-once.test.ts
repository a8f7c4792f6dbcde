import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startUrlProxy, type TcpProxy } from '../../faults/testing/tcp-proxy.ts'
import { createDatabase } from '../client.ts'
import { until } from '../testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { copyAtOnce } from './copy-at-once.ts'
import { onConnection } from './transaction.ts'

const OPTIONS = { poolMax: 1, statementTimeoutMs: 10_000, connectTimeoutMs: 5_000, onIdleError: () => {} }

let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await createTestDatabase()
  pool = createDatabase({ ...OPTIONS, url: database.url }).$client
  await pool.query('CREATE TABLE public.numbers (number int PRIMARY KEY)')
})

afterAll(async () => {
  await pool?.end()
  await database?.drop()
})

const send = (sql: string, text: string) =>
  onConnection(pool, (client) => copyAtOnce(client, sql, Buffer.from(text)))
const numbers = async () =>
  (await pool.query<{ number: number }>('SELECT number FROM public.numbers ORDER BY 1')).rows.map(
    ({ number }) => number,
  )
const backend = async (of = pool) => (await of.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number

const COPY = 'COPY public.numbers FROM STDIN'

test('what stands before and after the COPY is one transaction with it, on a connection that goes on', async () => {
  const before = await backend()
  await send(
    `BEGIN; INSERT INTO public.numbers VALUES (1); ${COPY}; INSERT INTO public.numbers VALUES (4); COMMIT`,
    '2\n3\n',
  )
  expect(await numbers()).toEqual([1, 2, 3, 4])
  expect(await backend()).toBe(before)
})

/** More than the server's buffers hold: it fails while data is still on its way. */
const MUCH = Array.from({ length: 300_000 }, (_, n) => `${n + 100}\n`).join('')

test.each([
  ['in its data', `BEGIN; ${COPY}; COMMIT`, '11\nx\n12\n', 'invalid input syntax'],
  ['as a duplicate', `BEGIN; ${COPY}; COMMIT`, '11\n2\n12\n', 'duplicate key'],
  ['after the COPY', `BEGIN; ${COPY}; SELECT 1/0; COMMIT`, '11\n12\n', 'division by zero'],
])('an error %s leaves nothing, and a connection that goes on', async (_where, sql, data, message) => {
  const before = await backend()
  await expect(send(sql, data + MUCH)).rejects.toThrow(message)
  expect(await numbers()).toEqual([1, 2, 3, 4])
  expect(await backend()).toBe(before)
})

test.each([
  ['before the COPY', `BEGIN; SELECT 1/0; ${COPY}; COMMIT`, 'division by zero'],
  ['in the COPY itself', `BEGIN; ${COPY.replace('numbers', 'nothing')}; COMMIT`, 'does not exist'],
])(
  'an error %s leaves nothing, and ends the connection, which a pooler would hold on to',
  async (_where, sql, message) => {
    const before = await backend()
    await expect(send(sql, `11\n12\n${MUCH}`)).rejects.toThrow(message)
    expect(await numbers()).toEqual([1, 2, 3, 4])
    expect(await backend()).not.toBe(before)
    await until('the first one has ended', async () => {
      const { rowCount } = await pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [before])
      return rowCount === 0
    })
  },
)

test('a connection that ends with the data on its way rejects', async () => {
  const holder = await pool.connect()
  await holder.query('BEGIN; LOCK TABLE public.numbers IN ACCESS EXCLUSIVE MODE')
  const { $client: other } = createDatabase({ ...OPTIONS, url: database.url, poolMax: 2 })
  const copying = onConnection(other, (client) =>
    copyAtOnce(client, `BEGIN; ${COPY}; COMMIT`, Buffer.from('21\n')),
  )
  const outcome = expect(copying).rejects.toThrow()
  let ended = 0
  while (ended === 0) {
    const found = await other.query<{ ended: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    ended = found.rows.length
  }
  await outcome
  await holder.query('ROLLBACK')
  holder.release()
  await other.end()
  expect(await numbers()).toEqual([1, 2, 3, 4])
})

test('one that waits for a lock and is given up ends at the server, which has not read its data', async () => {
  const before = await numbers()
  const holder = await pool.connect()
  await holder.query('BEGIN; LOCK TABLE public.numbers IN ACCESS EXCLUSIVE MODE')
  const { $client: other } = createDatabase({
    ...OPTIONS,
    url: database.url,
    poolMax: 2,
    statementTimeoutMs: 60_000,
  })
  const end = new AbortController()
  const waiting = async () => {
    const { rowCount } = await other.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rowCount
  }
  const outcome = expect(
    onConnection(
      other,
      (client) => copyAtOnce(client, `BEGIN; ${COPY}; COMMIT`, Buffer.from(MUCH)),
      end.signal,
    ),
  ).rejects.toThrow('terminated')
  try {
    await until('it waits', async () => (await waiting()) === 1)
    end.abort()
    await outcome
    await until('it waits no longer', async () => (await waiting()) === 0)
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
    await other.end()
  }
  expect(await numbers()).toEqual(before)
})

describe('on a network that fails', () => {
  let proxy: TcpProxy
  let far: Pool

  beforeEach(async () => {
    const through = await startUrlProxy(database.url)
    proxy = through.proxy
    far = createDatabase({ ...OPTIONS, url: through.url, statementTimeoutMs: 100 }).$client
    await pool.query('TRUNCATE public.numbers')
  })

  afterEach(async () => {
    await far.end()
    await proxy.close()
  })

  const GIVE_UP_MS = 500
  const sendFar = (text: string, signal?: AbortSignal) =>
    onConnection(far, (client) => copyAtOnce(client, `BEGIN; ${COPY}; COMMIT`, Buffer.from(text)), signal)

  test.each([
    ['by us', true, 'terminated'],
    ['at the limit of the pool', false, 'timeout'],
  ])(
    'an answer that does not come, given up %s: it may be committed, and the next one gets another connection',
    async (_who, isAborted, message) => {
      const before = await backend(far)
      proxy.setFaults({ toClient: { isBlackHole: true } })
      const end = new AbortController()
      const outcome = expect(sendFar('1\n', end.signal)).rejects.toThrow(message)
      await until('it is committed', async () => (await numbers()).length === 1)
      if (isAborted) end.abort()
      await outcome
      proxy.setFaults({})
      await sendFar('2\n')
      expect(await numbers()).toEqual([1, 2])
      expect(await backend(far)).not.toBe(before)
    },
  )

  test.each([
    ['is reset', 'reset'],
    ['stands still until we give up and it is cut', 'black-hole'],
  ] as const)(
    'a connection that, in the middle of the data, %s leaves nothing, and the next one is another',
    async (_how, action) => {
      const before = await backend(far)
      proxy.setFaults({ toTarget: { limit: { bytes: MUCH.length / 2, action } } })
      await expect(sendFar(MUCH, AbortSignal.timeout(GIVE_UP_MS))).rejects.toThrow()
      // What is held back would arrive otherwise.
      proxy.reset()
      proxy.setFaults({})
      await sendFar('2\n')
      expect(await backend(far)).not.toBe(before)
      await until('the first one has ended', async () => {
        const { rowCount } = await pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [before])
        return rowCount === 0
      })
      expect(await numbers()).toEqual([2])
    },
  )
})
