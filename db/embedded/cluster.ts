import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import {
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  unlink,
} from 'node:fs/promises'

import { basename, dirname, join } from 'node:path'
import type { ServerLog } from '../server-log.ts'
import { accountForNewCluster, accountOfCluster } from './account.ts'
import { type Binaries, findBinaries } from './binaries.ts'
import type { DataFolder } from './data-folder.ts'
import { createCluster } from './initdb.ts'
import { canEnter, makeFolder, sharedPlace } from './places.ts'
import { type ClusterPlace, runningPostmaster, stopPostmaster } from './postmaster.ts'
import type { Account } from './run.ts'

export interface Cluster extends ClusterPlace {
  binaries: Binaries
}

export interface ClusterOptions {
  dataFolder: DataFolder
  /** Password of the owner, should the cluster have to be created. */
  password: string
  /** Called before a cluster is created: the password must be kept before a cluster has it. */
  beforeCreate: () => Promise<void>
  places: string[]
  log: ServerLog
}

const INIT_SUFFIX = '.init-'

/** The cluster of a DATA_DIR, created on first use. To be called under the lock of `withUsers`. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const { dataFolder, log } = options
  await removeHalfClusters(dirname(dataFolder.cluster), basename(dataFolder.cluster))
  const found = await existingCluster(dataFolder.cluster, log)
  return found ? existing(found, options) : create(options)
}

/** Real path of the data directory, if there is one. A link whose target is gone is removed. */
async function existingCluster(path: string, log: ServerLog): Promise<string | undefined> {
  const entry = await lstat(path).catch(() => undefined)
  if (!entry) return undefined
  const folder = await realpath(path).catch(() => undefined)
  if (folder) return folder
  log.warn(`The database cluster that ${path} pointed to is gone: starting with an empty database`)
  await unlink(path)
  return undefined
}

async function existing(folder: string, { places, log }: ClusterOptions): Promise<Cluster> {
  const account = await accountOfCluster(folder)
  const binaries = await findBinaries({ account, places, log })
  checkVersion(folder, await clusterVersion(folder), binaries.major)
  if (await canEnter(folder, account)) return { folder, account, binaries }
  throw new Error(
    `The user with id ${account?.uid ?? process.getuid?.()}, who owns the database cluster in ${folder}, cannot enter it. ` +
      'Let that user pass through the folders above it, or move DATA_DIR back to where the cluster was made.',
  )
}

async function clusterVersion(folder: string): Promise<string | undefined> {
  return readFile(join(folder, 'PG_VERSION'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
}

function checkVersion(folder: string, found: string | undefined, expected: number): void {
  if (found === String(expected)) return
  if (found === undefined) {
    throw new Error(
      `${folder} is not a PostgreSQL cluster: it has no file PG_VERSION. Move it away to start with an empty database, ` +
        'or set DATA_DIR to another folder.',
    )
  }
  throw new Error(
    `The database cluster in ${folder} was made by PostgreSQL ${found}, and FrostGuard brings PostgreSQL ${expected}. ` +
      `Dump it with PostgreSQL ${found} (pg_dump), move the folder away, start FrostGuard and restore the dump; ` +
      `or run PostgreSQL ${found} on it yourself and set DATABASE_URL.`,
  )
}

async function create({ dataFolder, password, beforeCreate, places, log }: ClusterOptions): Promise<Cluster> {
  const account = await accountForNewCluster()
  const binaries = await findBinaries({ account, places, log })
  const reachable = await canEnter(dataFolder.root, account)
  const folder = reachable ? dataFolder.cluster : await outsideFolder({ dataFolder, places, account, log })
  const half = `${folder}${INIT_SUFFIX}${randomBytes(4).toString('hex')}`
  await beforeCreate()
  log.info(`Creating the database cluster in ${folder}`)
  await mkdir(half, { mode: 0o700 })
  if (account) await chown(half, account.uid, account.gid)
  const made = await createCluster({ binaries, account, parent: half, password })
  await rename(made, folder)
  await rm(half, { recursive: true, force: true })
  if (!reachable) await symlink(folder, dataFolder.cluster)
  return { folder: await realpath(folder), account, binaries }
}

/** A new name in a shared place, for a DATA_DIR that PostgreSQL's user cannot enter. */
async function outsideFolder(options: {
  dataFolder: DataFolder
  places: string[]
  account: Account | undefined
  log: ServerLog
}): Promise<string> {
  const { dataFolder, places, account, log } = options
  const parent = join(await sharedPlace(places, account), 'clusters')
  await makeFolder(parent)
  const prefix = createHash('sha256').update(dataFolder.root).digest('hex').slice(0, 12)
  await removeHalfClusters(parent, prefix)
  for (const name of await readdir(parent)) {
    if (name.startsWith(prefix)) await abandon(join(parent, name), dataFolder.root, log)
  }
  const folder = join(parent, `${prefix}-${randomBytes(4).toString('hex')}`)
  log.warn(
    `PostgreSQL's user (id ${account?.uid}) cannot enter ${dataFolder.root}: the database is kept in ${folder}, ` +
      `and ${dataFolder.cluster} links to it`,
  )
  return folder
}

/**
 * A cluster whose DATA_DIR was removed. Its data stays, as DATA_DIR may only have been moved; but its server, if one
 * was left behind, has nobody any more to stop it.
 */
async function abandon(folder: string, dataDir: string, log: ServerLog): Promise<void> {
  log.warn(`${folder} holds an earlier database of ${dataDir}; remove it when you do not need it any more`)
  const orphan = await runningPostmaster({ folder, account: await accountOfCluster(folder) })
  if (orphan) await stopPostmaster(orphan.pid, log)
}

/** Remains of an initdb that was interrupted. Nobody works on them: we hold the lock. */
async function removeHalfClusters(parent: string, prefix: string): Promise<void> {
  if (!existsSync(parent)) return
  for (const name of await readdir(parent)) {
    const isHalf = name.startsWith(prefix) && name.includes(INIT_SUFFIX)
    // An initdb that outlived its parent may still write there until it notices.
    if (isHalf) await rm(join(parent, name), { recursive: true, force: true, maxRetries: 10 })
  }
}
