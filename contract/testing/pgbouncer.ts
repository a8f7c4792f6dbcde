import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { accountForNewCluster } from '../../db/embedded/account.ts'
import { freePort } from '../../db/embedded/ports.ts'
import { until } from '../../db/testing/poll.ts'
import { makeTestFolder, removeTestFolder } from '../../db/testing/test-folder.ts'

const PROGRAM = 'pgbouncer'
const DEPLOYED = fileURLToPath(new URL('../../deploy/pgbouncer/', import.meta.url))
/** Debian puts it where only root looks. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`

export const hasPgBouncer =
  spawnSync(PROGRAM, ['--version'], { env: { PATH }, stdio: 'ignore' }).error === undefined

/** The deployed PgBouncer before a database of a test. */
export interface PgBouncer {
  /** As the database's URL, but through the pooler. */
  url: string
  start(): Promise<void>
  /** kill -9 */
  kill(): Promise<void>
  /** Rows of a SHOW command. */
  show(what: string): Promise<Record<string, unknown>[]>
  remove(): Promise<void>
}

/** Settings that a test changes, by their names in the file. */
export type Changes = Record<string, string | number>

/**
 * The text of a configuration file with other values for some of its settings, wherever they stand. Throws when it has
 * no such setting: what a test changes must be what is deployed.
 */
export function withChanges(text: string, changes: Changes): string {
  return Object.entries(changes).reduce((changed, [name, value]) => {
    const setting = new RegExp(`^([^;\\n]*\\b${name} ?= ?)\\S+`, 'm')
    if (!setting.test(changed)) throw new Error(`deploy/pgbouncer/pgbouncer.ini sets no ${name}`)
    return changed.replace(setting, `$1${value}`)
  }, text)
}

/**
 * Starts PgBouncer with the deployed entrypoint and configuration, on a free port of 127.0.0.1 before the server of
 * `databaseUrl`, with `poolSize` server connections. As another user where we are root, which it refuses.
 */
export async function startPgBouncer(databaseUrl: string, poolSize: number): Promise<PgBouncer> {
  const folder = await makeTestFolder()
  const run = join(folder, 'run')
  const port = await freePort()
  const database = new URL(databaseUrl)
  const account = await accountForNewCluster()
  const configuration = withChanges(await readFile(join(DEPLOYED, 'pgbouncer.ini'), 'utf8'), {
    host: database.hostname,
    port: database.port,
    listen_addr: '127.0.0.1',
    listen_port: port,
    auth_file: join(run, 'userlist.txt'),
    default_pool_size: poolSize,
  })
  const configurationPath = join(folder, 'pgbouncer.ini')
  await writeFile(configurationPath, configuration)
  await chmod(configurationPath, 0o644)
  await mkdir(run, { mode: 0o700 })
  if (account) await chown(run, account.uid, account.gid)

  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  const console = new URL(url)
  console.pathname = '/pgbouncer'
  let child: ChildProcess | undefined

  const start = async () => {
    let log = ''
    // The entrypoint as a text: the other user may not be able to reach our checkout.
    const entrypoint = await readFile(join(DEPLOYED, 'entrypoint.sh'), 'utf8')
    const started = spawn('sh', ['-c', entrypoint, 'entrypoint.sh', PROGRAM, configurationPath], {
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH,
        POSTGRES_USER: decodeURIComponent(database.username),
        POSTGRES_PASSWORD: decodeURIComponent(database.password),
        PGBOUNCER_AUTH_FILE: join(run, 'userlist.txt'),
      },
      ...account,
    })
    child = started
    // A hook that times out never gets to remove().
    process.once('exit', () => started.kill('SIGKILL'))
    started.stderr.on('data', (bytes: Buffer) => {
      log = (log + bytes.toString()).slice(-4_000)
    })
    await until('PgBouncer answers', async () => {
      if (started.exitCode !== null) throw new Error(`PgBouncer did not start:\n${log}`)
      return answers(console.href)
    })
  }
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    url: url.href,
    start,
    kill,
    show: (what) => query(console.href, `SHOW ${what}`),
    remove: async () => {
      await kill()
      await removeTestFolder(folder)
    },
  }
}

async function answers(url: string): Promise<boolean> {
  return query(url, 'SHOW VERSION').then(
    () => true,
    () => false,
  )
}

/** PgBouncer's console speaks the simple protocol only, as pg does for a query without values. */
async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}
