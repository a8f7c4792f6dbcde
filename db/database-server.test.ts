import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabaseServer } from './database-server.ts'
import { freePort } from './embedded/ports.ts'
import { until } from './testing/poll.ts'
import { databaseUrl, execute } from './testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from './testing/test-folder.ts'
import { SILENT_LOG, startTestServer, type TestServer } from './testing/test-server.ts'

let folder: string
let given: TestServer
beforeAll(async () => {
  folder = await makeTestFolder()
  given = await startTestServer()
})
afterAll(async () => {
  await given.remove()
  await removeTestFolder(folder)
})

const settings = (changes: object) => ({
  DATABASE_URL: undefined,
  DATABASE_DIRECT_URL: undefined,
  DATA_DIR: join(folder, 'data'),
  DATABASE_CONNECT_TIMEOUT_MS: 5_000,
  DATABASE_START_WAIT_MS: 0,
  ...changes,
})
const open = (changes: object, warnings: string[] = []) =>
  openDatabaseServer(settings(changes), { ...SILENT_LOG, warn: (message) => warnings.push(message) })

function variant(change: (url: URL) => void): string {
  const url = new URL(given.url)
  change(url)
  return url.href
}

test('without DATABASE_URL it is the embedded one', async () => {
  const server = await open({})
  expect(server.embedded).toBe(true)
  expect(server.directUrl).toBe(server.url)
  await execute(server.url, 'SELECT 1')
  await server.release()
  await expect(execute(server.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED')
})

test('with DATABASE_URL it is that one, and stays up after a release', async () => {
  const server = await open({ DATABASE_URL: given.url })
  expect(server).toMatchObject({ embedded: false, url: given.url, directUrl: given.url })
  await server.release()
  await execute(given.url, 'SELECT 1')
})

test('DATABASE_DIRECT_URL is checked too, and needs DATABASE_URL', async () => {
  const bad = variant((url) => {
    url.pathname = '/nowhere'
  })
  await expect(open({ DATABASE_URL: given.url, DATABASE_DIRECT_URL: bad })).rejects.toThrow(
    /database "nowhere" at .*no database of that name.*DATABASE_DIRECT_URL/,
  )
  await expect(open({ DATABASE_DIRECT_URL: given.url })).rejects.toThrow('Set both')
})

test('one sentence says who, where, why and what to check, without the password', async () => {
  const port = await freePort()
  const url = `postgres://app:hidden@127.0.0.1:${port}/cold`
  const message = await open({ DATABASE_URL: url }).then(String, (error: Error) => error.message)
  expect(message).toContain(`Cannot reach the database "cold" at 127.0.0.1:${port} as user "app"`)
  expect(message).toMatch(/ECONNREFUSED.*Check that PostgreSQL runs.*DATABASE_URL/)
  expect(message).not.toContain('hidden')
})

test('a refused password is no reason to wait', async () => {
  const wrong = variant((url) => {
    url.password = 'wrong'
  })
  const warnings: string[] = []
  const opening = open({ DATABASE_URL: wrong, DATABASE_START_WAIT_MS: 600_000 }, warnings)
  await expect(opening).rejects.toThrow(/refuses the user or the password/)
  expect(warnings).toEqual([])
})

test('waits for a database that is just coming up', async () => {
  await given.stop()
  const warnings: string[] = []
  const opening = open({ DATABASE_URL: given.url, DATABASE_START_WAIT_MS: 60_000 }, warnings)
  await until('it waits', () => warnings.length > 0)
  await given.start()
  const server = await opening
  expect(warnings).toEqual([expect.stringMatching(/^Waiting up to 60 s for .*ECONNREFUSED/)])
  await server.release()
})

test('waits for a database that lets nobody in for now', async () => {
  const url = databaseUrl(given.url, 'closed')
  await execute(given.url, 'CREATE DATABASE closed ALLOW_CONNECTIONS false')
  const warnings: string[] = []
  const opening = open({ DATABASE_URL: url, DATABASE_START_WAIT_MS: 60_000 }, warnings)
  await Promise.race([opening, until('it waits', () => warnings.length > 0)])
  await execute(given.url, 'ALTER DATABASE closed ALLOW_CONNECTIONS true')
  const server = await opening
  expect(warnings).toEqual([expect.stringMatching(/^Waiting up to 60 s for .*55000/)])
  await server.release()
})

test('waits for no database of which a DROP was cut short', async () => {
  const url = databaseUrl(given.url, 'dropped')
  // As PostgreSQL marks it before it drops its files.
  await execute(given.url, 'CREATE DATABASE dropped')
  await execute(given.url, `UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'dropped'`)
  const warnings: string[] = []
  const opening = open({ DATABASE_URL: url, DATABASE_START_WAIT_MS: 60_000 }, warnings)
  await expect(opening).rejects.toThrow(/invalid database.*55000.*DROP DATABASE of it was cut short: drop it/)
  expect(warnings).toEqual([])
})

test('a killed test server comes back under its URL', async () => {
  const { pid } = given
  await given.kill()
  await expect(execute(given.url, 'SELECT 1')).rejects.toThrow()
  await given.start()
  expect(given.pid).not.toBe(pid)
  await execute(given.url, 'SELECT 1')
})
