/** A disk of PostgreSQL is full, for its data or for its log: hubs go on, /readyz says why, and with room it drains. */
import { chmod, chown, cp, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { isRunning } from '../db/embedded/processes.ts'
import { until } from '../db/testing/poll.ts'
import { mountTmpfs, NEEDS_MOUNT, type SmallDisk } from '../db/testing/small-disk.ts'
import { makeTestFolder, removeTestFolder } from '../db/testing/test-folder.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'

interface Parts {
  server: ProxiedServer
  /** A disk with a folder on it that belongs to PostgreSQL's user. */
  disk: SmallDisk
  folder: string
}

async function smallDisk({ skip }: TestContext, sizeMib: number): Promise<Parts> {
  const place = await makeTestFolder()
  onTestFinished(() => removeTestFolder(place))
  const disk = (await mountTmpfs(place, sizeMib)) ?? skip(NEEDS_MOUNT)
  onTestFinished(disk.unmount)
  const server = await startProxiedServer({ migrate: true })
  onTestFinished(() => server.remove())
  const { uid, gid } = await stat(join(server.dataDir, 'postgres'))
  const folder = join(place, 'postgres')
  await mkdir(folder)
  await chmod(folder, 0o700)
  await chown(folder, uid, gid)
  return { server, disk, folder }
}

async function start(server: ProxiedServer): Promise<LoadedService> {
  const service = await startLoadedService({ databaseUrl: server.url, env: SHORT_HOLD })
  onTestFinished(() => service.close())
  return service
}

test('full data disk: 53100', async (context) => {
  const { server, disk, folder } = await smallDisk(context, 32)
  await onServer(server.directUrl, async (client) => {
    await client.query(`CREATE TABLESPACE small LOCATION '${folder}'`)
    await client.query('ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE small')
    await client.query('ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE small')
  })
  const service = await start(server)
  const load = service.load()
  await service.acknowledges(200)
  await disk.fill(0)
  await service.untilNotReady(/503 database away: .* \(its disk is full: free space there \(53100, .*spool/)
  await service.acknowledges(1_000)
  await disk.free()
  await load.stop()
  await service.expectAllStored()
})

test('full disk of pg_wal: PostgreSQL ends with a PANIC, and starts when there is room', async (context) => {
  const { server, disk, folder } = await smallDisk(context, 80)
  const log = join(server.dataDir, 'postgres', 'pg_wal')
  await server.stop('fast')
  await cp(log, folder, { recursive: true, preserveTimestamps: true })
  await giveTo(folder, await stat(log))
  await rm(log, { recursive: true })
  await symlink(folder, log)
  await server.start()
  const service = await start(server)
  const load = service.load()
  await service.acknowledges(200)
  const { pid } = server
  await disk.fill(0)
  // A new segment needs new room.
  await until('PostgreSQL has ended', async () => {
    await onServer(server.directUrl, (client) => client.query('SELECT pg_switch_wal()')).catch(() => {})
    return !isRunning(pid)
  })
  await service.acknowledges(1_000)
  await service.untilNotReady(/503 database away/)
  await expect(server.start()).rejects.toThrow(/No space left on device/)
  await disk.free()
  await server.start()
  await load.stop()
  await service.expectAllStored()
})

async function giveTo(folder: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  for (const name of ['.', ...(await readdir(folder, { recursive: true }))])
    await chown(join(folder, name), uid, gid)
}
