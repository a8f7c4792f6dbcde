import { join } from 'node:path'
import { connectionUrl } from '../embedded/connection-file.ts'
import { openDataFolder } from '../embedded/data-folder.ts'
import { readPidFile } from '../embedded/postmaster.ts'
import { signal, waitForExit } from '../embedded/processes.ts'
import { startOrAdopt } from '../embedded/start-or-adopt.ts'
import { migrateDatabase } from '../migrate.ts'
import type { ServerLog } from '../server-log.ts'
import { copyTemplateCluster } from './template-cluster.ts'
import { makeTestFolder, placeForManyFiles, removeTestFolder } from './test-folder.ts'

/** Tests kill processes, not machines: what the kernel has is safe, so nothing needs to reach the disk. */
export const FAST_AND_UNSAFE = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '128MB',
  max_wal_size: '1GB',
}

export const SILENT_LOG: ServerLog = { info() {}, warn() {}, error() {} }

const EXIT_TIMEOUT_MS = 30_000

/** A PostgreSQL of a test's own, to stop, kill and start again. Nothing restarts it by itself. */
export interface TestServer {
  /** The owner's URL; the same after every start, unless it may move. */
  readonly url: string
  dataDir: string
  /** Process id of the postmaster, that of the latest start. */
  readonly pid: number
  start(): Promise<void>
  /** As `pg_ctl stop`: fast ends sessions and writes a checkpoint, immediate leaves recovery to the next start. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** kill -9 of the postmaster. Its backends notice by themselves, a moment later. */
  kill(): Promise<void>
  /** Stops the server and removes its data; to be called at the end of the test. */
  remove(): Promise<void>
}

export interface TestServerOptions {
  /** With the schema; otherwise its database is empty. */
  migrate?: boolean
  parameters?: Record<string, string>
  /** It may come back on another port, where somebody has taken its own meanwhile: for tests that put a proxy before it. */
  mayMove?: boolean
}

/** Starts a server with a database. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  return openTestServer(await makeTestFolder(await placeForManyFiles()), options)
}

/** Starts the server of a test folder, which may have its data already. */
export async function openTestServer(folder: string, options: TestServerOptions): Promise<TestServer> {
  const dataDir = join(folder, 'data')
  const isMigrated = options.migrate === true && (await copyTemplateCluster(dataDir))
  const dataFolder = await openDataFolder(dataDir)
  const parameters = { ...FAST_AND_UNSAFE, ...options.parameters }
  const open = () =>
    startOrAdopt({ dataFolder, parameters, soleUser: options.mayMove ?? false, log: SILENT_LOG })
  let { connection, server } = await open()
  if (options.migrate && !isMigrated) await migrateDatabase(connectionUrl(connection))
  const end = async (name: NodeJS.Signals) => {
    const { pid } = server
    signal(pid, name)
    if (!(await waitForExit(pid, EXIT_TIMEOUT_MS))) throw new Error(`Test server ${pid} ignored ${name}`)
  }
  return {
    get url() {
      return connectionUrl(connection)
    },
    dataDir,
    get pid() {
      return server.pid
    },
    start: async () => {
      const opened = await open()
      connection = opened.connection
      server = opened.server
    },
    stop: (mode = 'fast') => end(mode === 'fast' ? 'SIGINT' : 'SIGQUIT'),
    kill: () => end('SIGKILL'),
    remove: () => removeTestFolder(folder),
  }
}

/** The process id of the server that works on a DATA_DIR, for tests that kill it. */
export async function postmasterPid(dataDir: string): Promise<number> {
  const server = await readPidFile(join(dataDir, 'postgres'))
  if (!server) throw new Error(`No server runs on ${dataDir}`)
  return server.pid
}
