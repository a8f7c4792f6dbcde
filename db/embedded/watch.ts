import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerLog } from '../server-log.ts'
import { boundLog } from './postgres-log.ts'
import { isRunning } from './processes.ts'

/** `restart_failed` is reported for each attempt; the next follows after RESTART_RETRY_MS. */
export type ServerEvent = 'died' | 'restarted' | 'restart_failed'

const WATCH_INTERVAL_MS = 250
const RESTART_RETRY_MS = 2_000
const LOG_CHECK_EVERY_ROUNDS = 240

export interface WatchOptions {
  pid: number
  logFile: string
  log: ServerLog
  onEvent: (event: ServerEvent) => void
  /** Makes sure that the server runs; returns its process id. */
  restart: () => Promise<{ pid: number }>
}

export interface Watch {
  /** Ends the watch, after a restart that is under way. Returns the process id of the last server seen. */
  stop(): Promise<number>
}

/** Starts the server again whenever it has died, and keeps its log bounded, until it is stopped. */
export function watchServer(options: WatchOptions): Watch {
  const stopping = new AbortController()
  const done = watchUntil(stopping.signal, options)
  return {
    stop() {
      stopping.abort()
      return done
    },
  }
}

async function watchUntil(stopping: AbortSignal, options: WatchOptions): Promise<number> {
  const { log, logFile, onEvent } = options
  let pid = options.pid
  for (let round = 1; !stopping.aborted; round += 1) {
    if (!isRunning(pid)) {
      log.error(`The database server (pid ${pid}) has died: starting it again`)
      onEvent('died')
      pid = (await restartUntil(stopping, options)) ?? pid
    }
    if (round % LOG_CHECK_EVERY_ROUNDS === 0) {
      await boundLog(logFile).catch((error: unknown) => log.warn(`Cannot bound ${logFile}: ${String(error)}`))
    }
    await pause(WATCH_INTERVAL_MS, stopping)
  }
  return pid
}

async function restartUntil(stopping: AbortSignal, options: WatchOptions): Promise<number | undefined> {
  const { log, onEvent, restart } = options
  while (!stopping.aborted) {
    try {
      const { pid } = await restart()
      log.warn(`The database server runs again (pid ${pid})`)
      onEvent('restarted')
      return pid
    } catch (error) {
      log.error(
        `The database server could not be started again: ${error instanceof Error ? error.message : String(error)}`,
      )
      onEvent('restart_failed')
      await pause(RESTART_RETRY_MS, stopping)
    }
  }
  return undefined
}

/** Does not keep the process alive: whoever uses the database does. */
async function pause(ms: number, stopping: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stopping, ref: false }).catch(() => {})
}
