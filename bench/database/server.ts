import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { programName } from '../../db/embedded/processes.ts'
import { openEmbeddedServer } from '../../db/embedded/server.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import type { ServerLog } from '../../db/server-log.ts'
import { makeTestFolder, removeAbandonedTestFolders, removeTestFolder } from '../../db/testing/test-folder.ts'
import { parentOf } from '../processes/usage.ts'
import { openPool } from './pool.ts'

/** Migrated and empty, for one measurement. */
export interface BenchDatabase {
  url: string
  drop(): Promise<void>
}

/** A PostgreSQL to measure on. What it holds besides is left alone. */
export interface BenchServer {
  /** `from`: a copy of this one, which nobody may be connected to. */
  createDatabase(from?: BenchDatabase): Promise<BenchDatabase>
  /** Its main process, where that runs on this machine and can be found. */
  postmasterPid: number | undefined
  /** Version and settings that the figures depend on. */
  describe(): Promise<Record<string, string>>
}

const SETTINGS = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'data_checksums',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'wal_compression',
  'track_commit_timestamp',
]
/** When a reading and its alert were committed, PostgreSQL knows best. */
const COMMIT_TIMES = { track_commit_timestamp: 'on' }
const SILENT: ServerLog = { info() {}, warn() {}, error() {} }
/** statfs(2) */
const TMPFS_MAGIC = 0x01021994

/**
 * The server of `databaseUrl`, or the embedded one of `dataDir`, or the embedded one in a temporary folder. Its
 * parameters are those that `npm start` gives it, and it keeps the times of commits. Needs the right to create databases. Whatever has to be undone is
 * put on `resources`.
 */
export async function openBenchServer(options: {
  databaseUrl: string | undefined
  dataDir: string | undefined
  resources: AsyncDisposableStack
}): Promise<BenchServer> {
  const { databaseUrl, resources } = options
  if (databaseUrl !== undefined) return serverOf(databaseUrl, resources, {})
  const dataDir = options.dataDir ?? (await temporaryDataDir(resources))
  const embedded = await openEmbeddedServer({ dataDir, parameters: COMMIT_TIMES, log: SILENT })
  resources.defer(() => embedded.release())
  const { type } = await statfs(dataDir)
  return serverOf(
    embedded.url,
    resources,
    type === TMPFS_MAGIC ? { data_on: 'tmpfs (fsync costs nothing)' } : {},
  )
}

async function temporaryDataDir(resources: AsyncDisposableStack): Promise<string> {
  await removeAbandonedTestFolders()
  const folder = await makeTestFolder()
  resources.defer(() => removeTestFolder(folder))
  return join(folder, 'data')
}

async function serverOf(
  url: string,
  resources: AsyncDisposableStack,
  notes: Record<string, string>,
): Promise<BenchServer> {
  // Nobody else's database has such a name, also on a server that is in use.
  const template = `frostguard_bench_${randomBytes(6).toString('hex')}`
  const created = [template]
  const drop = async (name: string) => {
    await execute(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  }
  resources.defer(async () => {
    for (const name of created) await drop(name)
  })
  await execute(url, `CREATE DATABASE ${template}`)
  await migrateDatabase(withDatabase(url, template))
  return {
    createDatabase: async (from) => {
      const name = `${template}_${created.length}`
      created.push(name)
      const original = from === undefined ? template : new URL(from.url).pathname.slice(1)
      // Files are copied as they are: through the WAL a large database would take many times as long.
      await execute(url, `CREATE DATABASE ${name} TEMPLATE ${original} STRATEGY FILE_COPY`)
      // The dirty pages of what was measured before must not be written while this is measured.
      await execute(url, 'CHECKPOINT')
      return { url: withDatabase(url, name), drop: () => drop(name) }
    },
    postmasterPid: await findPostmaster(url),
    describe: async () => ({ ...(await describeServer(url)), ...notes }),
  }
}

function withDatabase(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}

/** One statement in a session of its own. */
async function execute<Row extends object>(url: string, sql: string, values: unknown[] = []): Promise<Row[]> {
  const pool = openPool(url)
  try {
    return (await pool.query<Row>(sql, values)).rows
  } finally {
    await pool.end()
  }
}

async function describeServer(url: string): Promise<Record<string, string>> {
  const rows = await execute<{ name: string; setting: string }>(
    url,
    'SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name',
    [SETTINGS],
  )
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
}

/** The parent of a backend, if the backend is a process of this machine. */
async function findPostmaster(url: string): Promise<number | undefined> {
  const pool = openPool(url)
  try {
    const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const pid = rows[0]?.pid ?? 0
    return programName(pid) === 'postgres' ? parentOf(pid) : undefined
  } finally {
    await pool.end()
  }
}
