import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, run } from './run.ts'

const EXIT_POLL_MS = 25
const LOOKUP_TIMEOUT_MS = 5_000

/**
 * An opaque text that tells a process from a later one with the same pid, also across a reboot; undefined when no
 * such process runs. A zombie counts as gone: nobody reaps it where pid 1 is not an init.
 */
export function processStart(pid: number): string | undefined {
  return process.platform === 'linux' ? linuxProcessStart(pid) : portableProcessStart(pid)
}

export function isRunning(pid: number): boolean {
  return processStart(pid) !== undefined
}

function linuxProcessStart(pid: number): string | undefined {
  const stat = readOrUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  if (stat === undefined) return undefined
  // proc_pid_stat(5): the name in parentheses may hold anything; state is field 3, start time (ticks) field 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  const boot = readOrUndefined(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  return `${boot ?? ''}:${fields[19]}`
}

function portableProcessStart(pid: number): string | undefined {
  const line = readOrUndefined(() =>
    execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim(),
  )
  if (!line || line.startsWith('Z')) return undefined
  return line.slice(line.indexOf(' ')).trim()
}

/** The name of the program that a process runs, without its folder; undefined when there is none. */
export function programName(pid: number): string | undefined {
  const name = readOrUndefined(() =>
    process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/comm`, 'utf8')
      : execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }),
  )
  return name === undefined ? undefined : basename(name.trim())
}

/** All processes that run a program of this name; undefined where the system does not tell (no /proc). */
export function processesNamed(name: string): number[] | undefined {
  if (process.platform !== 'linux') return undefined
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => programName(pid) === name && isRunning(pid))
}

/**
 * The working directory of a process; undefined where the system does not tell. Root without the right to trace others
 * (a container) may not look, but a process of the same user may, hence `account`.
 */
export async function workingFolder(pid: number, account: Account | undefined): Promise<string | undefined> {
  if (process.platform !== 'linux') return portableWorkingFolder(pid)
  const link = `/proc/${pid}/cwd`
  const folder = readOrUndefined(() => readlinkSync(link))
  if (folder !== undefined || !account) return folder
  const { code, output } = await run('readlink', [link], { account, timeoutMs: LOOKUP_TIMEOUT_MS })
  return code === 0 ? output : undefined
}

/** `lsof -F n` writes one field a line: p and the pid, f and the descriptor, n and the path. */
async function portableWorkingFolder(pid: number): Promise<string | undefined> {
  const args = ['-a', '-p', String(pid), '-d', 'cwd', '-F', 'n']
  const found = await run('lsof', args, { timeoutMs: LOOKUP_TIMEOUT_MS }).catch(() => undefined)
  return found?.output
    .split('\n')
    .find((line) => line.startsWith('n'))
    ?.slice(1)
}

/** Sends a signal; a process that is already gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Waits until the process has ended; false when it still runs after `timeoutMs`. */
export async function waitForExit(pid: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (isRunning(pid)) {
    if (performance.now() >= deadline) return false
    await sleep(EXIT_POLL_MS)
  }
  return true
}

function readOrUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
