import { randomUUID } from 'node:crypto'
import type { ServerLog } from '../server-log.ts'
import type { Cluster } from './cluster.ts'
import { connectionUrl } from './connection-file.ts'
import { type DataFolder, openDataFolder } from './data-folder.ts'
import { runningPostmaster, stopPostmaster } from './postmaster.ts'
import { isRunning } from './processes.ts'
import { ensureRunning } from './start.ts'
import { type StartOrAdoptOptions, startOrAdopt } from './start-or-adopt.ts'
import { hasUsersFile, withUsers } from './users.ts'
import { type ServerEvent, watchServer } from './watch.ts'

export interface EmbeddedOptions extends Pick<StartOrAdoptOptions, 'parameters' | 'sharedPlaces'> {
  /** DATA_DIR; created on first use. */
  dataDir: string
  log: ServerLog
  /** Told when the server died while it was in use, and what became of it. */
  onEvent?: (event: ServerEvent) => void
}

export interface EmbeddedServer {
  /** The owner's URL, with password. It stays valid over restarts of the server. */
  url: string
  /** Ends our use; the last user stops the server. May be called more than once. Throws when it cannot be stopped. */
  release(): Promise<void>
}

/**
 * Uses the embedded PostgreSQL of a DATA_DIR together with all other processes that do: the first starts it, the last
 * stops it. While it is in use it is started again when it dies. A server left behind by a crash is adopted.
 */
export async function openEmbeddedServer(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { log, parameters = {}, onEvent = () => {} } = options
  const dataFolder = await openDataFolder(options.dataDir)
  const id = randomUUID()
  const { cluster, connection, server } = await withUsers(dataFolder.users, async (users) => {
    const opened = await startOrAdopt({ ...options, dataFolder, soleUser: users.count() === 0 })
    users.add(id)
    return opened
  })
  log.info(
    `${server.adopted ? 'Using the running' : 'Started the'} database server of ${dataFolder.root} (pid ${server.pid})`,
  )
  const { log: logFile } = dataFolder
  const again = { cluster, connection, logFile, parameters, soleUser: false, log }
  const restart = () => {
    if (!hasUsersFile(dataFolder.users))
      throw new Error(`${dataFolder.root} was removed. Stop FrostGuard and start it again.`)
    return withUsers(dataFolder.users, () => ensureRunning(again))
  }
  const watch = watchServer({ pid: server.pid, logFile, log, onEvent, restart })
  let released: Promise<void> | undefined
  return {
    url: connectionUrl(connection),
    release() {
      released ??= watch.stop().then((pid) => leave({ dataFolder, cluster, id, pid, log }))
      return released
    },
  }
}

async function leave(options: {
  dataFolder: DataFolder
  cluster: Cluster
  id: string
  pid: number
  log: ServerLog
}): Promise<void> {
  const { dataFolder, cluster, id, pid, log } = options
  // DATA_DIR was removed under us: the registry is gone or a new one, and no one else knows of this server.
  const running = await runningPostmaster(cluster)
  if (running?.pid !== pid && isRunning(pid)) await stopPostmaster(pid, log)
  if (!hasUsersFile(dataFolder.users)) return
  await withUsers(dataFolder.users, async (users) => {
    users.remove(id)
    const others = users.count()
    if (others > 0)
      return log.info(`The database server goes on for ${others} other user(s) of ${dataFolder.root}`)
    const last = await runningPostmaster(cluster)
    if (last) await stopPostmaster(last.pid, log)
    log.info(`Stopped the database server of ${dataFolder.root}`)
  })
}
