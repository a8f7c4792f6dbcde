import { open, rename, statfs, writeFile } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerLog } from '../server-log.ts'
import { waitForAnswer } from './answers.ts'
import type { Cluster } from './cluster.ts'
import { type Connection, connectionUrl } from './connection-file.ts'
import { PARAMETERS_FILE } from './initdb.ts'
import { freePort, isPortFree } from './ports.ts'
import { boundLog, logSize, readLog } from './postgres-log.ts'
import { clearAwayDeadServer, type Postmaster, runningPostmaster, stopPostmaster } from './postmaster.ts'
import { run } from './run.ts'
import { configurationFile, parametersFor } from './server-parameters.ts'

/** Includes recovery after a crash. */
const START_TIMEOUT_MS = 180_000
/** A server that is up and does not answer within this is hung, and is replaced. */
const SILENT_MS_MAX = 5_000
const ORPHAN_GRACE_MS = 5_000
const START_ATTEMPTS_MAX = 20
const START_RETRY_MS = 500
const LOG_EXCERPT_BYTES_MAX = 2_048

export interface StartOptions {
  cluster: Cluster
  connection: Connection
  /** postgres.log. */
  logFile: string
  /** Parameters of PostgreSQL beyond our own. */
  parameters: Record<string, string>
  /** Nobody else uses the server: it may change its port if that is occupied, and is replaced if it hangs. */
  soleUser: boolean
  log: ServerLog
}

export interface StartedServer {
  pid: number
  port: number
  adopted: boolean
}

/** Makes sure that the cluster's server runs and answers: adopts one that runs already, else starts it. */
export async function ensureRunning(options: StartOptions): Promise<StartedServer> {
  const running = await runningPostmaster(options.cluster)
  if (running && (await adopt(running, options))) return { ...running, adopted: true }
  return { ...(await start(options)), adopted: false }
}

async function adopt(running: Postmaster, options: StartOptions): Promise<boolean> {
  const { cluster, connection, soleUser, log } = options
  const answer = await answerOf(cluster, { ...connection, port: running.port })
  if (answer === 'ours') return true
  if (answer === 'not_ours') throw wrongPassword(cluster)
  if (!soleUser) {
    throw new Error(
      `The database server (pid ${running.pid}) on ${cluster.folder} runs but does not answer, and other FrostGuard ` +
        `processes use it. Look into ${options.logFile}; if it hangs, end it (kill -9 ${running.pid}): it is started again.`,
    )
  }
  log.warn(`The database server (pid ${running.pid}) runs but does not answer: replacing it`)
  await stopPostmaster(running.pid, log)
  return false
}

async function start(options: StartOptions): Promise<Postmaster> {
  const { cluster, log, logFile } = options
  await clearAwayDeadServer(cluster, ORPHAN_GRACE_MS, log)
  await boundLog(logFile)
  let port = options.connection.port
  for (let attempt = 1; ; attempt += 1) {
    const running = await runningPostmaster(cluster)
    if (running) return await started(options, running.port)
    port = await usablePort(port, options.soleUser)
    await writeParameters({ ...options, port })
    const failure = await tryStart(cluster, logFile)
    if (failure === undefined) return await started(options, port)
    const isPassing = /pre-existing shared memory block|"postmaster.pid" already exists|could not bind/.test(
      failure,
    )
    if (!isPassing || attempt >= START_ATTEMPTS_MAX) {
      throw new Error(
        `The database server on ${cluster.folder} does not start (attempt ${attempt}). Its log ends with:\n${failure}\n` +
          `Correct what it names and start again; the whole log is in ${logFile}.`,
      )
    }
    log.warn(
      `The database server could not start yet (attempt ${attempt} of ${START_ATTEMPTS_MAX}): ${lastLine(failure)}`,
    )
    await sleep(START_RETRY_MS)
  }
}

async function started({ cluster, connection, logFile }: StartOptions, port: number): Promise<Postmaster> {
  const running = await runningPostmaster(cluster)
  const answer = running ? await answerOf(cluster, { ...connection, port }) : 'none'
  if (running && answer === 'ours') return { pid: running.pid, port }
  if (answer === 'not_ours') throw wrongPassword(cluster)
  throw new Error(
    `The database server on ${cluster.folder} was started but does not answer. Its log is in ${logFile}.`,
  )
}

function answerOf(cluster: Cluster, connection: Connection) {
  const limits = { silentMsMax: SILENT_MS_MAX, startingMsMax: START_TIMEOUT_MS }
  return waitForAnswer({ url: connectionUrl(connection), folder: cluster.folder, ...limits })
}

function wrongPassword(cluster: Cluster): Error {
  return new Error(
    `The database server on ${cluster.folder} refuses the password in postgres.json of DATA_DIR. ` +
      'Stop every FrostGuard process, delete that file and start again: a new password is then set.',
  )
}

async function usablePort(port: number, mayChange: boolean): Promise<number> {
  return !mayChange || (await isPortFree(port)) ? port : freePort()
}

/** Runs pg_ctl, which leaves the server in a session of its own. Returns the log of a failure. */
async function tryStart(cluster: Cluster, logFile: string): Promise<string | undefined> {
  const from = await logSize(logFile)
  const log = await open(logFile, 'a', 0o600)
  try {
    const seconds = START_TIMEOUT_MS / 1000
    const args = ['start', '--silent', '--wait', `--timeout=${seconds}`, '-D', cluster.folder]
    const { code } = await run(join(cluster.binaries.bin, 'pg_ctl'), args, {
      account: cluster.account,
      outputFd: log.fd,
      timeoutMs: START_TIMEOUT_MS + SILENT_MS_MAX,
    })
    if (code === 0) return undefined
  } finally {
    await log.close()
  }
  return readLog(logFile, from, LOG_EXCERPT_BYTES_MAX)
}

/** The file is replaced, never written through: the folder belongs to another user, who could have put a link there. */
async function writeParameters(options: StartOptions & { port: number }): Promise<void> {
  const { cluster, port, parameters } = options
  const { bavail, bsize } = await statfs(cluster.folder)
  const content = configurationFile({
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    ...parametersFor({ memoryBytes: memoryBytes(), freeDiskBytes: bavail * bsize }),
    ...parameters,
  })
  const file = join(cluster.folder, PARAMETERS_FILE)
  const next = `${file}.${process.pid}`
  await writeFile(next, content, { mode: 0o644, flag: 'wx' })
  await rename(next, file)
}

/** Memory of the machine, or of our container where that is less. */
function memoryBytes(): number {
  return Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
}

function lastLine(text: string): string {
  return text.slice(text.lastIndexOf('\n') + 1)
}
