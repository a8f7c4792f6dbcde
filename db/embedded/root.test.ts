import { chmod, cp, lstat, mkdir, readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { execute } from '../testing/test-database.ts'
import { makeTestFolder, removeTestFolder } from '../testing/test-folder.ts'
import { FAST_AND_UNSAFE, postmasterPid } from '../testing/test-server.ts'
import { accountForNewCluster, weAreRoot } from './account.ts'
import { findBinaries } from './binaries.ts'
import { canEnter, sharedPlace } from './places.ts'
import { isRunning } from './processes.ts'
import { openEmbeddedServer } from './server.ts'

let folder: string
let closed: string
let sharedPlaces: string[]
beforeAll(async () => {
  folder = await makeTestFolder()
  // As /root is.
  closed = join(folder, 'closed')
  await mkdir(closed, { mode: 0o700 })
  sharedPlaces = [join(folder, 'shared')]
})
afterAll(() => removeTestFolder(folder))

function open(dataDir: string, warnings: string[] = []) {
  const log = { info() {}, warn: (message: string) => warnings.push(message), error() {} }
  return openEmbeddedServer({ dataDir, parameters: FAST_AND_UNSAFE, sharedPlaces, log })
}

describe.skipIf(!weAreRoot())('as root (skipped for any other user)', () => {
  test('the server runs as another user', async () => {
    const dataDir = join(folder, 'open')
    const server = await open(dataDir)
    const { uid } = await stat(`/proc/${await postmasterPid(dataDir)}`)
    expect(uid).toBe((await accountForNewCluster())?.uid)
    expect(uid).not.toBe(0)
    await server.release()
  })

  test('below a folder that user cannot enter, the cluster is kept elsewhere, and the folder stays closed', async () => {
    const dataDir = join(closed, 'data')
    const warnings: string[] = []
    const first = await open(dataDir, warnings)
    const cluster = await realpath(join(dataDir, 'postgres'))
    expect(cluster.startsWith(sharedPlaces[0] ?? '?')).toBe(true)
    expect(warnings.join()).toContain(cluster)
    expect((await stat(closed)).mode & 0o777).toBe(0o700)
    await execute(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await first.release()
    const second = await open(dataDir)
    await execute(second.url, 'SELECT answer FROM kept')
    expect(second.url).toBe(first.url)
    await second.release()
  })

  test('after rm -rf of such a DATA_DIR the next start is a fresh one, and the server left behind is stopped', async () => {
    const dataDir = join(closed, 'removed')
    const old = await open(dataDir)
    const oldCluster = await realpath(join(dataDir, 'postgres'))
    const pid = await postmasterPid(dataDir)
    await rm(dataDir, { recursive: true, maxRetries: 10 })
    expect(isRunning(pid)).toBe(true)
    const warnings: string[] = []
    const fresh = await open(dataDir, warnings)
    expect(isRunning(pid)).toBe(false)
    expect(warnings.join()).toContain(`${oldCluster} holds an earlier database`)
    expect(await realpath(join(dataDir, 'postgres'))).not.toBe(oldCluster)
    await old.release()
    await execute(fresh.url, 'SELECT 1')
    await fresh.release()
  })

  test('a link whose cluster was removed is replaced by a fresh cluster', async () => {
    const dataDir = join(closed, 'dangling')
    await (await open(dataDir)).release()
    await rm(await realpath(join(dataDir, 'postgres')), { recursive: true })
    const warnings: string[] = []
    const server = await open(dataDir, warnings)
    expect(warnings.join()).toContain('is gone: starting with an empty database')
    expect((await lstat(join(dataDir, 'postgres'))).isSymbolicLink()).toBe(true)
    await execute(server.url, 'SELECT 1')
    await server.release()
  })

  test('programs that user cannot reach are copied once, complete and readable', async () => {
    const account = await accountForNewCluster()
    const places = [join(folder, 'programs')]
    const source = join(closed, 'native')
    const original = await findBinaries({ account, places, log: { info() {}, warn() {}, error() {} } })
    await mkdir(source, { recursive: true })
    await cp(join(original.bin, '..'), source, { recursive: true, verbatimSymlinks: true })
    await chmod(source, 0o700)
    const messages: string[] = []
    const log = { info: (message: string) => messages.push(message), warn() {}, error() {} }
    const from = { folder: source, version: '18.test' }
    const first = await findBinaries({ account, places, log, from })
    const second = await findBinaries({ account, places, log, from })
    expect(first.bin).toBe(join(places[0] ?? '', 'postgresql-18.test', 'bin'))
    expect(second).toEqual(first)
    expect(messages).toHaveLength(1)
    expect(await readdir(places[0] ?? '')).toEqual(['postgresql-18.test'])
  })

  test('a shared place that others may write is passed over', async () => {
    const account = await accountForNewCluster()
    const [open, safe] = [join(folder, 'anyone'), join(folder, 'safe')]
    await mkdir(open)
    await chmod(open, 0o777)
    expect(await sharedPlace([open, safe], account)).toBe(safe)
    await expect(sharedPlace([open], account)).rejects.toThrow('others may write in it')
    expect(await canEnter(closed, account)).toBe(false)
  })
})
