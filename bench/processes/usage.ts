import { readdirSync, readFileSync } from 'node:fs'

/** proc_pid_stat(5): times are in units of sysconf(_SC_CLK_TCK), which Linux fixes at 100 a second for programs. */
const TICKS_PER_SECOND = 100
const BYTES_PER_KB = 1024
/** CPU seconds of a process so far; undefined where the system does not tell (no /proc) or it is gone. */
export function cpuSecondsOf(pid: number): number | undefined {
  const stat = statOf(pid)
  return stat && stat.ticks / TICKS_PER_SECOND
}

/** The same of a process and all its children, those that have ended included. */
export function cpuSecondsOfFamily(pid: number): number | undefined {
  const own = statOf(pid)
  if (!own) return undefined
  const living = allProcesses()
    .map(statOf)
    .reduce((sum, stat) => sum + (stat?.parent === pid ? stat.ticks : 0), 0)
  return (own.ticks + own.endedChildrenTicks + living) / TICKS_PER_SECOND
}

/** The parent of a process; undefined where the system does not tell. */
export function parentOf(pid: number): number | undefined {
  return statOf(pid)?.parent
}

/** Resident memory in bytes; undefined where the system does not tell. */
export function residentBytesOf(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * BYTES_PER_KB
}

interface Stat {
  parent: number
  /** User and system time. */
  ticks: number
  endedChildrenTicks: number
}

/** The fields that proc_pid_stat(5) numbers 4 (parent) and 14 to 17 (times). */
function statOf(pid: number): Stat | undefined {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name in parentheses, field 2, may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const field = (number: number) => fields[number - 3] ?? 0
  return { parent: field(4), ticks: field(14) + field(15), endedChildrenTicks: field(16) + field(17) }
}

function allProcesses(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger)
  } catch {
    return []
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
