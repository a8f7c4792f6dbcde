import { performance } from 'node:perf_hooks'

/** From this share of busy time on, whatever one part of a process takes is missing to the others. */
const BUSY = 0.95
/** Then it rests so many times as long as it has worked: a quarter of the time is left to it. */
const RESTS = 3
const REST_MS_MAX = 1_000

/** Up to this lag arrivals come first: a tenth of the time is left to catching up, as it takes PostgreSQL's processor too. */
const PATIENCE_MS = 60_000
const PATIENT_RESTS = 9

/** What the work was done beside. */
interface Beside {
  /** Share of the time in which the event loop was busy. */
  utilization: number
  /** Whether something has arrived meanwhile. */
  isArriving: boolean
  /** How old the oldest row is that is not judged. */
  lagMs: number
}

/** How long to rest after work of so many milliseconds. */
export function restMs(workedMs: number, { utilization, isArriving, lagMs }: Beside): number {
  const isPatient = isArriving && lagMs < PATIENCE_MS
  if (!isPatient && utilization < BUSY) return 0
  return Math.min(workedMs * (isPatient ? PATIENT_RESTS : RESTS), REST_MS_MAX)
}

/** Keeps what is behind from taking the processor that arrivals need. */
export class Rest {
  #before = performance.eventLoopUtilization()

  /** How long to rest after work of so many milliseconds, also by what the event loop has done since the last call. */
  after(workedMs: number, beside: Omit<Beside, 'utilization'>): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#before)
    this.#before = now
    return restMs(workedMs, { ...beside, utilization })
  }
}
