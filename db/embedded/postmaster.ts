import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerLog } from '../server-log.ts'
import { isRunning, processesNamed, programName, signal, waitForExit, workingFolder } from './processes.ts'
import type { Account } from './run.ts'

export interface Postmaster {
  pid: number
  port: number
}

/** A cluster and the user that owns it (undefined = ourselves). */
export interface ClusterPlace {
  /** Real path. */
  folder: string
  account: Account | undefined
}

const PROGRAM = 'postgres'
/** A fast shutdown writes a checkpoint, which takes a while after much load. */
const FAST_STOP_TIMEOUT_MS = 60_000
const IMMEDIATE_STOP_TIMEOUT_MS = 10_000

/** What postmaster.pid says, whether or not such a server runs. Its lines: pid, folder, start time, port, and more. */
export async function readPidFile(cluster: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const [pid, port] = [Number(lines[0]), Number(lines[3])]
  return pid > 0 && port > 0 ? { pid, port } : undefined
}

/** The server that runs on the cluster; a stale postmaster.pid, or one whose pid another program got, is none. */
export async function runningPostmaster(place: ClusterPlace): Promise<Postmaster | undefined> {
  const found = await readPidFile(place.folder)
  if (!found || !isRunning(found.pid) || programName(found.pid) !== PROGRAM) return undefined
  const folder = await workingFolder(found.pid, place.account)
  // A server works in its cluster. Where the system does not tell, the one that answers proves it later.
  const unknown = folder === undefined && isRunning(found.pid)
  return unknown || folder === place.folder ? found : undefined
}

/**
 * Clears the way after a postmaster was killed: its backends may live on until they notice, and PostgreSQL refuses to
 * start beside them. They get `graceMs`, then they are ended; the transactions they hold can never commit.
 */
export async function clearAwayDeadServer(
  place: ClusterPlace,
  graceMs: number,
  log: ServerLog,
): Promise<void> {
  const orphans = await processesOf(place)
  if (orphans === undefined) return
  if (orphans.length > 0) log.warn(`Waiting for ${orphans.length} processes of a dead database server to end`)
  const deadline = performance.now() + graceMs
  for (const pid of orphans) {
    if (await waitForExit(pid, Math.max(0, deadline - performance.now()))) continue
    // No remains, but a server that was on its way up.
    if (await runningPostmaster(place)) return
    log.warn(`Ending process ${pid}, which outlived its database server by more than ${graceMs} ms`)
    signal(pid, 'SIGKILL')
    await waitForExit(pid, IMMEDIATE_STOP_TIMEOUT_MS)
  }
  // PostgreSQL takes any living process of that number for its server, also a zombie; we know that there is none.
  await rm(join(place.folder, 'postmaster.pid'), { force: true })
}

/** The PostgreSQL processes that work on the cluster; undefined where the system does not tell. */
async function processesOf({ folder, account }: ClusterPlace): Promise<number[] | undefined> {
  const found: number[] = []
  const candidates = processesNamed(PROGRAM)
  if (candidates === undefined) return undefined
  for (const pid of candidates) {
    const itsFolder = await workingFolder(pid, account)
    if (itsFolder === folder) found.push(pid)
  }
  return found
}

/**
 * Stops a server as `pg_ctl stop -m fast` does; if that takes too long as `-m immediate`, and then by force (it recovers
 * at the next start; nothing committed is lost). Throws when it still runs.
 */
export async function stopPostmaster(pid: number, log: ServerLog): Promise<void> {
  signal(pid, 'SIGINT')
  // A suspended server could not act on it.
  signal(pid, 'SIGCONT')
  if (await waitForExit(pid, FAST_STOP_TIMEOUT_MS)) return
  log.warn(
    `The database server (pid ${pid}) did not stop within ${FAST_STOP_TIMEOUT_MS / 1000} s: stopping it at once`,
  )
  for (const harder of ['SIGQUIT', 'SIGKILL'] as const) {
    signal(pid, harder)
    if (await waitForExit(pid, IMMEDIATE_STOP_TIMEOUT_MS)) return
  }
  throw new Error(`The database server (pid ${pid}) cannot be ended, not even by force. Restart the machine.`)
}
