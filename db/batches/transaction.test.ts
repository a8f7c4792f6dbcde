import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createDatabase } from '../client.ts'
import { createTestDatabase } from '../testing/test-database.ts'
import { copyInto, inReadOnly, onConnection } from './transaction.ts'

/** A proxy to the database that can hold back what the server answers, and let it go later. */
async function holdingProxy(url: string) {
  const target = new URL(url)
  const { hostname } = target
  const port = Number(target.port)
  let held: (() => void)[] | undefined
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(port, hostname)
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (data) => server.write(data))
    server.on('data', (data) => (held ? held.push(() => client.write(data)) : client.write(data)))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  target.port = String((proxy.address() as AddressInfo).port)
  return {
    url: target.href,
    hold: () => {
      held = []
    },
    letGo: () => {
      for (const send of held?.splice(0) ?? []) send()
      held = undefined
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => proxy.close(resolve))
    },
  }
}

test('an answer to a COPY that comes after we gave up harms nothing, and the connection is not used again', async () => {
  const database = await createTestDatabase()
  const proxy = await holdingProxy(database.url)
  const { $client: pool } = createDatabase({
    url: proxy.url,
    poolMax: 1,
    statementTimeoutMs: 100,
    connectTimeoutMs: 5_000,
    onIdleError: () => {},
  })
  const none = Buffer.concat([
    Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
    Buffer.alloc(8),
    Buffer.from([0xff, 0xff]),
  ])
  const copy = () =>
    onConnection(pool, async (client) => {
      await copyInto(client, 'BEGIN; COPY public.sensor_readings FROM STDIN (FORMAT binary)', none)
      await client.query('COMMIT')
    })
  try {
    const backend = async () => (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number
    await copy()
    const before = await backend()
    proxy.hold()
    const given = expect(copy()).rejects.toThrow('timeout')
    // Past the pool's limit of 100 ms and 2 s of grace, and before a second one would end.
    await sleep(2_500)
    proxy.letGo()
    await given
    await copy()
    expect(await backend()).not.toBe(before)
  } finally {
    await pool.end()
    await proxy.close()
    await database.drop()
  }
})

test('a read has one process of the server, however many rows it looks through', async () => {
  const database = await createTestDatabase()
  const { $client: pool } = createDatabase({
    url: database.url,
    poolMax: 1,
    statementTimeoutMs: 10_000,
    connectTimeoutMs: 5_000,
    onIdleError: () => {},
  })
  try {
    // As for a large table, of which few rows are wanted.
    await pool.query(`
      SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
      CREATE TABLE many AS SELECT n FROM generate_series(1, 10000) n; ANALYZE many`)
    const explain = 'EXPLAIN SELECT count(*) FROM many WHERE n % 7 = 3'
    const planOf = ({ rows }: { rows: unknown[] }) => JSON.stringify(rows)
    expect(planOf(await pool.query(explain))).toContain('Workers Planned')
    const read = await inReadOnly(pool, 10_000, (client) => client.query(explain))
    expect(planOf(read)).not.toContain('Workers Planned')
  } finally {
    await pool.end()
    await database.drop()
  }
})
