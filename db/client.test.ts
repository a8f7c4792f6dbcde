import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDatabase, type Database, type DatabaseOptions } from './client.ts'
import { organizations, sites } from './schema/index.ts'
import { until } from './testing/poll.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

let database: TestDatabase
let idleErrors: Error[]
const cleanups: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  database = await createTestDatabase()
  idleErrors = []
  cleanups.push(() => database.drop())
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function open(options: Partial<DatabaseOptions> = {}): Database {
  const db = createDatabase({
    url: database.url,
    poolMax: 1,
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 10_000,
    onIdleError: (error) => idleErrors.push(error),
    ...options,
  })
  cleanups.push(async () => db.$client.ending || db.$client.end())
  return db
}

describe('createDatabase', () => {
  it('tells of an idle connection that breaks, without the client, and not once it is ending', async () => {
    const db = open({ poolMax: 2 })
    const [one, other] = await Promise.all([db.$client.connect(), db.$client.connect()])
    const { rows } = await one.query('SELECT pg_backend_pid() AS pid')
    one.release()
    await other.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
    other.release()
    await until('the pool tells', () => idleErrors.length === 1)
    expect(idleErrors[0]).toMatchObject({ code: '57P01' })
    expect(idleErrors[0]).not.toHaveProperty('client')
    const ended = db.$client.end()
    db.$client.emit('error', new Error('the server was faster'), other)
    await ended
    expect(idleErrors).toHaveLength(1)
  })

  it('answers relational queries along every relation', async () => {
    const db = open()
    const { schema } = db._
    expect(Object.keys(schema ?? {})).toHaveLength(41)
    for (const [name, table] of Object.entries(schema ?? {})) {
      const all = Object.fromEntries(
        Object.keys(table.relations).map((relation) => [relation, true as const]),
      )
      const query = db.query[name as keyof typeof db.query] as {
        findMany(options: object): Promise<unknown[]>
      }
      const rows = await query.findMany({ with: all })
      expect(rows.length, name).toBe(name === 'registryVersion' ? 1 : 0)
    }
  })

  it('finds what belongs together', async () => {
    const db = open()
    const [organization] = await db.insert(organizations).values({ slug: 'demo', name: 'Demo' }).returning()
    await db.insert(sites).values({ organizationId: organization?.id ?? 0, name: 'Berlin' })
    const found = await db.query.sites.findFirst({ with: { organization: true, hubs: true } })
    expect(found).toMatchObject({ name: 'Berlin', organization: { slug: 'demo' }, hubs: [] })
  })

  it('prepares no named statements and leaves nothing in the session', async () => {
    const db = open({ statementTimeoutMs: 1_234 })
    await db.query.sites.findMany()
    await db.transaction((tx) => tx.select().from(organizations))
    const { rows } = await db.execute(
      sql`SELECT (SELECT count(*)::int FROM pg_prepared_statements WHERE name <> '') AS prepared,
        current_setting('statement_timeout') AS timeout`,
    )
    expect(rows).toEqual([{ prepared: 0, timeout: '0' }])
  })

  it('has the server end a statement of a transaction, which is rolled back', async () => {
    const db = open({ statementTimeoutMs: 100 })
    const attempt = db.transaction(async (tx) => {
      await tx.insert(organizations).values({ slug: 'slow', name: 'Slow' })
      await tx.execute(sql`SELECT pg_sleep(600)`)
    })
    await expect(attempt).rejects.toMatchObject({ cause: { code: '57014' } })
    expect(await db.select().from(organizations)).toEqual([])
  })

  it('keeps the isolation level that a transaction asks for', async () => {
    const db = open()
    const level = await db.transaction(
      async (tx) => (await tx.execute(sql`SHOW transaction_isolation`)).rows,
      { isolationLevel: 'serializable' },
    )
    expect(level).toEqual([{ transaction_isolation: 'serializable' }])
  })

  it('reports an idle connection that breaks, and connects again', async () => {
    const db = open()
    await db.execute(sql`SELECT 1`)
    const other = open()
    await other.execute(
      sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    await until('the broken connection is reported', () => idleErrors.length > 0)
    expect((await db.execute(sql`SELECT 1 AS one`)).rows).toEqual([{ one: 1 }])
  })
})

describe('a server that stops answering', () => {
  /** Passes bytes on until it is frozen; then it swallows them, as a dead network does. */
  async function freezableProxy() {
    const target = new URL(database.url)
    let frozen = false
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(Number(target.port), target.hostname)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('data', (data) => !frozen && to.write(data)).on('error', () => to.destroy())
        from.on('close', () => to.destroy())
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanups.push(async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const url = new URL(target)
    url.hostname = '127.0.0.1'
    url.port = String((server.address() as AddressInfo).port)
    const freeze = (on: boolean) => {
      frozen = on
    }
    return { url: url.href, freeze }
  }

  it('fails a single statement, and the next one gets a new connection', async () => {
    const { url, freeze } = await freezableProxy()
    const db = open({ url, statementTimeoutMs: 100 })
    await db.execute(sql`SELECT 1`)
    freeze(true)
    await expect(db.execute(sql`SELECT 2`)).rejects.toThrow()
    freeze(false)
    expect((await db.execute(sql`SELECT 3 AS three`)).rows).toEqual([{ three: 3 }])
  })

  it.each([
    ['at its beginning', true],
    ['in its midst', false],
  ])('fails a transaction %s, and the next one gets a new connection', async (_, early) => {
    const { url, freeze } = await freezableProxy()
    const db = open({ url, statementTimeoutMs: 100 })
    await db.execute(sql`SELECT 1`)
    freeze(early)
    const attempt = db.transaction(async (tx) => {
      freeze(true)
      await tx.execute(sql`SELECT 1`)
    })
    await expect(attempt).rejects.toThrow()
    freeze(false)
    const next = await db.transaction(async (tx) => (await tx.execute(sql`SELECT 2 AS two`)).rows)
    expect(next).toEqual([{ two: 2 }])
  })
})
