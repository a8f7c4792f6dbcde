import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { spawnHolder, startHolder } from '../testing/holder.ts'
import { until } from '../testing/poll.ts'
import { copyTemplateCluster } from '../testing/template-cluster.ts'
import { execute } from '../testing/test-database.ts'
import { makeTestFolder, placeForManyFiles, removeTestFolder } from '../testing/test-folder.ts'
import { FAST_AND_UNSAFE, postmasterPid, SILENT_LOG } from '../testing/test-server.ts'
import { isRunning, signal } from './processes.ts'
import { openEmbeddedServer } from './server.ts'
import type { ServerEvent } from './watch.ts'

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

const open = (dataDir: string, onEvent?: (event: ServerEvent) => void) =>
  openEmbeddedServer({
    dataDir,
    parameters: FAST_AND_UNSAFE,
    log: SILENT_LOG,
    ...(onEvent && { onEvent }),
  })

const answers = (url: string) =>
  execute(url, 'SELECT 1').then(
    () => true,
    () => false,
  )

test.concurrent('after kill -9 of its user the server lives on and is adopted, and then stopped', async () => {
  const dataDir = await dataDirWithCluster('adopt')
  const holder = await startHolder(dataDir)
  const pid = await postmasterPid(dataDir)
  await holder.kill()
  expect(isRunning(pid)).toBe(true)
  const server = await open(dataDir)
  expect(server.url).toBe(holder.url)
  expect(await postmasterPid(dataDir)).toBe(pid)
  await server.release()
  expect(isRunning(pid)).toBe(false)
})

test.concurrent('after kill -9 of the postmaster the server runs again under the same URL, until it is released', async () => {
  const dataDir = await dataDirWithCluster('watch')
  const events: ServerEvent[] = []
  const server = await open(dataDir, (event) => events.push(event))
  await execute(server.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
  for (const round of [1, 2]) {
    const pid = await postmasterPid(dataDir)
    signal(pid, 'SIGKILL')
    await until('the server runs again', () => events.length === 2 * round)
    expect(await postmasterPid(dataDir)).not.toBe(pid)
    await execute(server.url, 'SELECT answer FROM kept')
  }
  expect(events).toEqual(['died', 'restarted', 'died', 'restarted'])
  const pid = await postmasterPid(dataDir)
  await server.release()
  expect(isRunning(pid)).toBe(false)
  expect(events).toHaveLength(4)
})

test.concurrent('two users restart a killed server once', async () => {
  const dataDir = await dataDirWithCluster('watch-two')
  const events: ServerEvent[] = []
  const server = await open(dataDir, (event) => events.push(event))
  const holder = await startHolder(dataDir)
  signal(await postmasterPid(dataDir), 'SIGKILL')
  await until('the server runs again', () => events.includes('restarted'))
  const pid = await postmasterPid(dataDir)
  await holder.release()
  expect(await postmasterPid(dataDir)).toBe(pid)
  expect(await answers(server.url)).toBe(true)
  await server.release()
})

test.concurrent('starts beside a backend that outlived its postmaster, after ending it', async () => {
  const dataDir = await dataDirWithCluster('orphan')
  const holder = await startHolder(dataDir)
  const client = new Client({ connectionString: holder.url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const backend = rows[0]?.pid ?? 0
  // Suspended, it cannot notice that its postmaster is gone, and keeps the shared memory.
  signal(backend, 'SIGSTOP')
  await holder.kill()
  signal(await postmasterPid(dataDir), 'SIGKILL')
  const server = await open(dataDir)
  expect(isRunning(backend)).toBe(false)
  expect(await answers(server.url)).toBe(true)
  await server.release()
})

test.concurrent('a server that hangs is replaced, unless others use it', async () => {
  const dataDir = await dataDirWithCluster('hangs')
  const holder = await startHolder(dataDir)
  const pid = await postmasterPid(dataDir)
  signal(pid, 'SIGSTOP')
  await expect(open(dataDir)).rejects.toThrow(/does not answer, and other FrostGuard processes use it/)
  expect(isRunning(pid)).toBe(true)
  await holder.kill()
  const server = await open(dataDir)
  expect(isRunning(pid)).toBe(false)
  expect(await answers(server.url)).toBe(true)
  await server.release()
})

test.concurrent('an initdb interrupted by kill -9 leaves no half cluster', async () => {
  const dataDir = join(folder, 'half')
  const child = spawnHolder(dataDir)
  const halves = async () =>
    (existsSync(dataDir) ? await readdir(dataDir) : []).filter((name) => name.includes('.init-'))
  await until('initdb is at work', async () => {
    const [half] = await halves()
    return half !== undefined && existsSync(join(dataDir, half, 'cluster', 'base'))
  })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
  const server = await open(dataDir)
  expect(await answers(server.url)).toBe(true)
  expect(await halves()).toEqual([])
  await server.release()
})

test.concurrent('starts anew after DATA_DIR was removed, and the old server does not stay', async () => {
  const dataDir = await dataDirWithCluster('removed')
  const old = await open(dataDir)
  const oldPid = await postmasterPid(dataDir)
  await rm(dataDir, { recursive: true, maxRetries: 10 })
  const fresh = await open(dataDir)
  expect(fresh.url).not.toBe(old.url)
  await old.release()
  await until('the old server ends', () => !isRunning(oldPid))
  expect(await answers(fresh.url)).toBe(true)
  await fresh.release()
})

test.concurrent('a stale postmaster.pid whose number another program has now is no obstacle', async () => {
  const dataDir = await dataDirWithCluster('stale')
  await (await open(dataDir)).release()
  const cluster = join(dataDir, 'postgres')
  await writeFile(join(cluster, 'postmaster.pid'), `${process.pid}\n${cluster}\n1\n5432\n\n127.0.0.1\n`)
  const server = await open(dataDir)
  expect(await answers(server.url)).toBe(true)
  await server.release()
})

test.concurrent('refuses the cluster of another major version, and what is no cluster, with a way out', async () => {
  const dataDir = await dataDirWithCluster('version')
  await (await open(dataDir)).release()
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '17\n')
  await expect(open(dataDir)).rejects.toThrow(
    /made by PostgreSQL 17, and FrostGuard brings PostgreSQL 18.*pg_dump/s,
  )
  await rm(join(dataDir, 'postgres', 'PG_VERSION'))
  await expect(open(dataDir)).rejects.toThrow(/is not a PostgreSQL cluster.*Move it away/s)
})

test.concurrent('a DATA_DIR that cannot be one is refused with its path', async () => {
  await mkdir(join(folder, 'plain'))
  await writeFile(join(folder, 'plain', 'file'), '')
  await expect(open(join(folder, 'plain', 'file'))).rejects.toThrow(
    /Cannot write in the data folder .*DATA_DIR/s,
  )
})
