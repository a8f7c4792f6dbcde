import { randomBytes } from 'node:crypto'
import { readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startHolder } from '../testing/holder.ts'
import { copyTemplateCluster } from '../testing/template-cluster.ts'
import { execute } from '../testing/test-database.ts'
import { makeTestFolder, placeForManyFiles, removeTestFolder } from '../testing/test-folder.ts'
import { FAST_AND_UNSAFE, postmasterPid, SILENT_LOG } from '../testing/test-server.ts'
import { isRunning } from './processes.ts'
import { openEmbeddedServer } from './server.ts'

let folder: string
beforeAll(async () => {
  folder = await makeTestFolder(await placeForManyFiles())
})
afterAll(() => removeTestFolder(folder))

/** A DATA_DIR with a cluster that has not been started yet. */
async function dataDirWithCluster(name: string): Promise<string> {
  const dataDir = join(folder, name)
  await copyTemplateCluster(dataDir)
  return dataDir
}

const open = (dataDir: string) =>
  openEmbeddedServer({ dataDir, parameters: FAST_AND_UNSAFE, log: SILENT_LOG })

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(sql)
  await client.end()
  return Object.values(rows[0] ?? {})[0]
}

test('the first start makes a UTF8 cluster with checksums, which only a password opens', async () => {
  const dataDir = join(folder, 'first')
  const server = await open(dataDir)
  expect(await ask(server.url, 'SELECT current_database()')).toBe('frostguard')
  expect(await ask(server.url, 'SHOW server_encoding')).toBe('UTF8')
  expect(await ask(server.url, 'SHOW data_checksums')).toBe('on')
  const locale = `SELECT concat(datlocprovider, ' ', datlocale) FROM pg_database WHERE datname = current_database()`
  expect(await ask(server.url, locale)).toBe('b C.UTF-8')
  const stranger = new URL(server.url)
  stranger.password = 'wrong'
  await expect(ask(stranger.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  expect((await stat(join(dataDir, 'postgres.json'))).mode & 0o777).toBe(0o600)
  await server.release()
})

test.skipIf(process.platform !== 'linux')('Ctrl-C in our terminal does not reach the server', async () => {
  const dataDir = await dataDirWithCluster('session')
  const server = await open(dataDir)
  const sessionOf = async (pid: number) =>
    (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')[3]
  const pid = await postmasterPid(dataDir)
  expect(await sessionOf(pid)).toBe(String(pid))
  await server.release()
})

test('a second start has the same URL and the same data', async () => {
  const dataDir = await dataDirWithCluster('second')
  const first = await open(dataDir)
  await execute(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await first.release()
  const second = await open(dataDir)
  expect(second.url).toBe(first.url)
  expect(await ask(second.url, 'SELECT answer FROM kept')).toBe(42)
  await second.release()
})

test('takes another port when its own is occupied meanwhile', async () => {
  const dataDir = await dataDirWithCluster('port')
  const first = await open(dataDir)
  await first.release()
  const occupier = createServer().listen(Number(new URL(first.url).port), '127.0.0.1')
  const second = await open(dataDir)
  expect(new URL(second.url).port).not.toBe(new URL(first.url).port)
  expect(await ask(second.url, 'SELECT 1')).toBe(1)
  await second.release()
  occupier.close()
})

test('the last of several users stops the server, whoever started it', async () => {
  const dataDir = await dataDirWithCluster('shared')
  const [one, two] = await Promise.all([open(dataDir), open(dataDir)])
  const other = await startHolder(dataDir)
  const pid = await postmasterPid(dataDir)
  expect([two.url, other.url]).toEqual([one.url, one.url])
  await one.release()
  await one.release()
  expect(await ask(two.url, 'SELECT 1')).toBe(1)
  await two.release()
  expect(await ask(other.url, 'SELECT 1')).toBe(1)
  await other.release()
  expect(isRunning(pid)).toBe(false)
})

test('a lost password file costs no data', async () => {
  const dataDir = await dataDirWithCluster('password')
  const first = await open(dataDir)
  await execute(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  await first.release()
  await rm(join(dataDir, 'postgres.json'))
  const second = await open(dataDir)
  expect(new URL(second.url).password).not.toBe(new URL(first.url).password)
  expect(await ask(second.url, 'SELECT answer FROM kept')).toBe(42)
  await second.release()
})

test('parameters of the caller are used, and a bad one is reported with the words of PostgreSQL', async () => {
  const dataDir = await dataDirWithCluster('parameters')
  const value = randomBytes(4).toString('hex')
  const parameters = { ...FAST_AND_UNSAFE, 'frostguard.test': `it's ${value}` }
  const server = await openEmbeddedServer({ dataDir, parameters, log: SILENT_LOG })
  expect(await ask(server.url, 'SHOW frostguard.test')).toBe(`it's ${value}`)
  await server.release()
  const bad = { dataDir, parameters: { shared_buffers: 'plenty' }, log: SILENT_LOG }
  await expect(openEmbeddedServer(bad)).rejects.toThrow(
    /invalid value for parameter "shared_buffers": "plenty"/,
  )
})
