import { Client } from 'pg'
import { expect, test } from 'vitest'
import { createTestDatabase, execute } from './test-database.ts'

test('gives every caller a migrated database of its own', async () => {
  const databases = await Promise.all(Array.from({ length: 6 }, () => createTestDatabase()))
  const [one, two] = databases
  if (!one || !two) throw new Error('no databases')
  expect(new Set(databases.map(({ url }) => url)).size).toBe(6)
  await execute(
    one.url,
    `INSERT INTO organizations (slug, name, timezone) VALUES ('a', 'A', 'Europe/Berlin')`,
  )
  expect(await count(one.url, 'organizations')).toBe(1)
  expect(await count(two.url, 'organizations')).toBe(0)
  await Promise.all(databases.map((database) => database.drop()))
})

test('a dropped database is gone, also under a session that was still open', async () => {
  const database = await createTestDatabase()
  const client = new Client({ connectionString: database.url })
  const ended = new Promise<void>((resolve) => client.on('error', () => resolve()))
  await client.connect()
  await database.drop()
  await ended
  await expect(execute(database.url, 'SELECT 1')).rejects.toThrow('does not exist')
})

async function count(url: string, table: string): Promise<number> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM ${table}`)
  await client.end()
  return Number(rows[0]?.count)
}
