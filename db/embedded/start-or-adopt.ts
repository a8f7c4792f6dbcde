import type { ServerLog } from '../server-log.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { type Connection, newConnection, readConnection, writeConnection } from './connection-file.ts'
import type { DataFolder } from './data-folder.ts'
import { resetPassword } from './initdb.ts'
import { defaultSharedPlaces } from './places.ts'
import { freePort } from './ports.ts'
import { runningPostmaster, stopPostmaster } from './postmaster.ts'
import { ensureRunning, type StartedServer } from './start.ts'

export interface StartOrAdoptOptions {
  dataFolder: DataFolder
  log: ServerLog
  /** Parameters of PostgreSQL beyond our own, for example `fsync` = `off` in tests. */
  parameters?: Record<string, string>
  /** Folders for what PostgreSQL's user cannot reach in the checkout or DATA_DIR; the first usable one is taken. */
  sharedPlaces?: string[]
  /** Nobody else uses the server: it may change its port if that is occupied, and is replaced if it hangs. */
  soleUser: boolean
}

export interface OpenedServer {
  cluster: Cluster
  connection: Connection
  server: StartedServer
}

/** From whatever is in DATA_DIR to a server that answers. To be called under the lock of `withUsers`. */
export async function startOrAdopt(options: StartOrAdoptOptions): Promise<OpenedServer> {
  const { dataFolder, log, soleUser, parameters = {}, sharedPlaces: places = defaultSharedPlaces() } = options
  const known = await readConnection(dataFolder.connection)
  const connection = known ?? newConnection(await freePort())
  const cluster = await openCluster({
    dataFolder,
    password: connection.password,
    places,
    log,
    beforeCreate: () => writeConnection(dataFolder.connection, connection),
  })
  await ensurePassword(cluster, connection, dataFolder, log)
  const { log: logFile } = dataFolder
  const server = await ensureRunning({ cluster, connection, logFile, parameters, soleUser, log })
  const current = { ...connection, port: server.port }
  if (server.port !== connection.port) await writeConnection(dataFolder.connection, current)
  return { cluster, connection: current, server }
}

/** Where postgres.json was lost, the owner of the (stopped) cluster gets a new password. */
async function ensurePassword(
  cluster: Cluster,
  connection: Connection,
  dataFolder: DataFolder,
  log: ServerLog,
) {
  if (await readConnection(dataFolder.connection)) return
  log.warn(`${dataFolder.connection} is missing or damaged: giving the database owner a new password`)
  const running = await runningPostmaster(cluster)
  if (running) await stopPostmaster(running.pid, log)
  await resetPassword({ ...cluster, password: connection.password })
  await writeConnection(dataFolder.connection, connection)
}
