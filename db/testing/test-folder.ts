import { chmod, mkdtemp, readdir, realpath, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountOfCluster } from '../embedded/account.ts'
import { runningPostmaster } from '../embedded/postmaster.ts'
import { isRunning, signal, waitForExit } from '../embedded/processes.ts'

const PREFIX = 'frostguard-test-'
/** Linux keeps it in memory; a container may have little of it, or none. */
const MEMORY_FOLDER = '/dev/shm'
const MEMORY_FOLDER_BYTES_MIN = 3 * 2 ** 30
const EXIT_TIMEOUT_MS = 10_000

/** A new folder of this process that every user may enter, as PostgreSQL's must when we are root. */
export async function makeTestFolder(parent = tmpdir()): Promise<string> {
  const folder = await realpath(await mkdtemp(join(parent, `${PREFIX}${process.pid}-`)))
  await chmod(folder, 0o755)
  return folder
}

/**
 * Where files that come and go by the thousand cost least: in memory, where there is room. A disk's file system may take
 * longer for each new file the more were removed of late.
 */
export async function placeForManyFiles(): Promise<string> {
  const place = await statfs(MEMORY_FOLDER).catch(() => undefined)
  const freeBytes = place ? Math.min(place.bavail * place.bsize, process.availableMemory()) : 0
  return freeBytes >= MEMORY_FOLDER_BYTES_MIN ? MEMORY_FOLDER : tmpdir()
}

/** Removes a test folder, and ends the servers that still run on clusters directly below it or below its subfolders. */
export async function removeTestFolder(folder: string): Promise<void> {
  for (const name of ['.', ...(await readdir(folder))]) await endServer(join(folder, name, 'postgres'))
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
}

/** What test runs of the same user left that were killed before they could clean up. */
export async function removeAbandonedTestFolders(): Promise<void> {
  for (const parent of new Set([tmpdir(), MEMORY_FOLDER])) await removeAbandonedIn(parent)
}

async function removeAbandonedIn(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (!(pid > 0) || isRunning(pid)) continue
    const folder = join(parent, name)
    // It may be gone already: another test run that starts now does the same.
    const found = await stat(folder).catch(() => undefined)
    if (found?.uid === process.getuid?.()) await removeTestFolder(folder).catch(() => {})
  }
}

async function endServer(path: string): Promise<void> {
  const folder = await realpath(path).catch(() => undefined)
  if (!folder) return
  const server = await runningPostmaster({ folder, account: await accountOfCluster(folder) })
  if (!server) return
  signal(server.pid, 'SIGQUIT')
  await waitForExit(server.pid, EXIT_TIMEOUT_MS)
}
