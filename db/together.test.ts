import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { onConnection } from './batches/transaction.ts'
import { createDatabase } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'
import { together } from './together.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

describe.each([true, false])('on a connection whose pipelining is %s', (pipelined) => {
  let pool: Pool
  beforeAll(async () => {
    pool = createDatabase({
      url: database.url,
      poolMax: 1,
      statementTimeoutMs: 500,
      connectTimeoutMs: 5_000,
      pipelined,
      onIdleError: () => {},
    }).$client
    await pool.query('CREATE TABLE IF NOT EXISTS noted (id int PRIMARY KEY)')
  })
  beforeEach(() => pool.query('TRUNCATE noted'))
  afterAll(() => pool.end())

  const note = (client: PoolClient, id: number) => () => client.query('INSERT INTO noted VALUES ($1)', [id])
  const noted = async () => (await pool.query<{ id: number }>('SELECT id FROM noted ORDER BY id')).rows

  test('they are answered in their order, each seeing what those before it have done', async () => {
    const counts = await onConnection(pool, async (client) => {
      await client.query('BEGIN')
      const count = async () => (await client.query('SELECT count(*)::int AS n FROM noted')).rows[0]?.n
      const [, one, , , three] = await together(client, [
        note(client, 1),
        count,
        note(client, 2),
        note(client, 3),
        count,
      ])
      await client.query('COMMIT')
      return [one, three]
    })
    expect(counts).toEqual([1, 3])
    expect(await noted()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  test('where one is refused its error is thrown, not that of those behind it', async () => {
    const refused = onConnection(pool, async (client) => {
      await client.query('BEGIN')
      // What it does second comes behind the one that is refused.
      const inTwoSteps = async () => {
        await note(client, 2)()
        await note(client, 3)()
      }
      await together(client, [note(client, 1), inTwoSteps, note(client, 1), note(client, 4)])
      await client.query('COMMIT')
    })
    await expect(refused).rejects.toMatchObject({ code: '23505' })
    expect(await noted()).toEqual([])
  })

  test('a connection that is lost fails all of them, and the pool goes on', async () => {
    const lost = onConnection(pool, async (client) => {
      await client.query('BEGIN')
      await together(client, [
        note(client, 1),
        () => client.query('SELECT pg_terminate_backend(pg_backend_pid())'),
        note(client, 2),
      ])
    })
    await expect(lost).rejects.toThrow()
    expect(await noted()).toEqual([])
  })

  test('one that is not answered in time fails all of them, and the pool goes on', async () => {
    // Longer than it is waited for; and what comes next waits for its end.
    const late = onConnection(pool, async (client) => {
      await client.query('BEGIN')
      await together(client, [note(client, 1), () => client.query('SELECT pg_sleep(4)'), note(client, 2)])
    })
    await expect(late).rejects.toThrow('Query read timeout')
    expect(await noted()).toEqual([])
  })

  test('each is given the time that one may take, also behind others', async () => {
    const slow = (client: PoolClient) => () => client.query('SELECT pg_sleep(0.45)')
    await onConnection(pool, async (client) => {
      await client.query('BEGIN; SET LOCAL statement_timeout = 500')
      const inner = () => together(client, [slow(client), slow(client), slow(client)])
      await together(client, [slow(client), slow(client), inner, slow(client), slow(client), note(client, 1)])
      await client.query('COMMIT')
    })
    expect(await noted()).toEqual([{ id: 1 }])
    // One alone is given no more than before.
    if (pipelined) await expect(pool.query('SELECT pg_sleep(3)')).rejects.toThrow('Query read timeout')
  })

  test('where one throws before it is sent, the others are waited for', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const failed = onConnection(pool, async (client) => {
      await client.query('BEGIN')
      await together(client, [
        note(client, 1),
        note(client, 1),
        () => {
          throw new TypeError('a defect')
        },
      ])
    })
    await expect(failed).rejects.toMatchObject({ code: '23505' })
    // Node looks for rejections that nobody handles when the microtasks are done.
    await setImmediate()
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    expect(await noted()).toEqual([])
  })

  test(`it ${pipelined ? 'is one write' : 'is a write for each'}`, async () => {
    await onConnection(pool, async (client) => {
      await client.query('BEGIN')
      const { stream } = (client as unknown as { connection: { stream: Socket } }).connection
      const writev = vi.spyOn(stream, '_writev')
      const write = vi.spyOn(stream, '_write')
      const later = async () => {
        await Promise.resolve()
        await note(client, 3)()
      }
      await together(client, [note(client, 1), note(client, 2), later])
      expect(writev.mock.calls.length + write.mock.calls.length).toBe(pipelined ? 1 : 3)
      vi.restoreAllMocks()
      await client.query('COMMIT')
    })
    expect(await noted()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
  })

  test(`it ${pipelined ? 'is one round trip' : 'is a round trip for each'}`, async () => {
    let trips = 0
    const count = () => {
      trips += 1
    }
    await onConnection(pool, async (client) => {
      await client.query('BEGIN')
      client.on('drain', count)
      await together(client, [note(client, 1), note(client, 2), note(client, 3)])
      client.off('drain', count)
      await client.query('COMMIT')
    })
    expect(trips).toBe(pipelined ? 1 : 3)
  })
})
