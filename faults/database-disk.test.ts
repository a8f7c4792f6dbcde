/** A disk of PostgreSQL is full, for its data or for its log: hubs go on, /readyz says why, and with room it drains. */
import { chmod, chown, cp, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning } from '../db/embedded/processes.ts'
import { until } from '../db/testing/poll.ts'
import { mountTmpfs, NEEDS_MOUNT, type SmallDisk } from '../db/testing/small-disk.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'

const DATA_MIB = 32
const LOG_MIB = 80

interface Disks {
  data: SmallDisk
  log: SmallDisk
}

/** Undone last to first. */
const cleanUps: (() => Promise<unknown>)[] = []
let disks: Disks | undefined
let server: ProxiedServer
let service: LoadedService

beforeAll(async () => {
  const [data, log] = [await mountDisk(DATA_MIB), await mountDisk(LOG_MIB)]
  if (!data || !log) return
  disks = { data: data.disk, log: log.disk }
  server = await startProxiedServer({ migrate: true })
  cleanUps.push(() => server.remove())
  await moveData(await makeFolder(data.place))
  await moveLog(await makeFolder(log.place))
  service = await startLoadedService({ databaseUrl: server.url, env: SHORT_HOLD })
  cleanUps.push(() => service.close())
})

afterAll(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
})

async function mountDisk(sizeMib: number): Promise<{ disk: SmallDisk; place: string } | undefined> {
  const place = await makeTestFolder()
  cleanUps.push(() => removeTestFolder(place))
  const disk = await mountTmpfs(place, sizeMib)
  if (!disk) return undefined
  cleanUps.push(disk.unmount)
  return { disk, place }
}

/** A folder on a disk that belongs to PostgreSQL's user. */
async function makeFolder(place: string): Promise<string> {
  const { uid, gid } = await stat(join(server.dataDir, 'postgres'))
  const folder = join(place, 'postgres')
  await mkdir(folder)
  await chmod(folder, 0o700)
  await chown(folder, uid, gid)
  return folder
}

async function moveData(folder: string): Promise<void> {
  await onServer(server.directUrl, async (client) => {
    await client.query(`CREATE TABLESPACE small LOCATION '${folder}'`)
    await client.query('ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE small')
    await client.query('ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE small')
  })
}

async function moveLog(folder: string): Promise<void> {
  const log = join(server.dataDir, 'postgres', 'pg_wal')
  await server.stop('fast')
  await cp(log, folder, { recursive: true, preserveTimestamps: true })
  await giveTo(folder, await stat(log))
  await rm(log, { recursive: true })
  await symlink(folder, log)
  await server.start()
}

async function giveTo(folder: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  for (const name of ['.', ...(await readdir(folder, { recursive: true }))])
    await chown(join(folder, name), uid, gid)
}

test('full data disk: 53100', async ({ skip }) => {
  const { data } = disks ?? skip(NEEDS_MOUNT)
  const load = service.load()
  await service.acknowledges(200)
  await data.fill(0)
  await service.untilNotReady(/503 database away: .* \(its disk is full: free space there \(53100, .*spool/)
  await service.acknowledges(1_000)
  await data.free()
  await load.stop()
  await service.expectAllStored()
})

test('full disk of pg_wal: PostgreSQL ends with a PANIC, and starts when there is room', async ({ skip }) => {
  const { log } = disks ?? skip(NEEDS_MOUNT)
  const load = service.load()
  await service.acknowledges(200)
  const { pid } = server
  await log.fill(0)
  // A new segment needs new room.
  await until('PostgreSQL has ended', async () => {
    await onServer(server.directUrl, (client) => client.query('SELECT pg_switch_wal()')).catch(() => {})
    return !isRunning(pid)
  })
  await service.acknowledges(1_000)
  await service.untilNotReady(/503 database away/)
  await expect(server.start()).rejects.toThrow(/No space left on device/)
  await log.free()
  await server.start()
  await load.stop()
  await service.expectAllStored()
})
