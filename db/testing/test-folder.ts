import { chmod, mkdtemp, readdir, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accountOfCluster } from '../embedded/account.ts'
import { runningPostmaster } from '../embedded/postmaster.ts'
import { isRunning, signal, waitForExit } from '../embedded/processes.ts'

const PREFIX = 'frostguard-test-'
const EXIT_TIMEOUT_MS = 10_000

/** A new folder of this process that every user may enter, as PostgreSQL's must when we are root. */
export async function makeTestFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`)))
  await chmod(folder, 0o755)
  return folder
}

/** Removes a test folder, and ends the servers that still run on clusters directly below it or below its subfolders. */
export async function removeTestFolder(folder: string): Promise<void> {
  for (const name of ['.', ...(await readdir(folder))]) await endServer(join(folder, name, 'postgres'))
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
}

/** What test runs of the same user left that were killed before they could clean up. */
export async function removeAbandonedTestFolders(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number.parseInt(name.slice(PREFIX.length), 10) : Number.NaN
    if (!(pid > 0) || isRunning(pid)) continue
    const folder = join(tmpdir(), name)
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
