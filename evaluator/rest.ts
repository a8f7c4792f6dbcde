import { performance } from 'node:perf_hooks'

/** From this share of busy time on, whatever one part of a process takes is missing to the others. */
const BUSY = 0.95
/** Then it rests so many times as long as it has worked: a quarter of the time is left to it. */
const RESTS = 3
const REST_MS_MAX = 1_000

/** How long to rest after work of so many milliseconds, when the event loop was busy for this share of the time. */
export function restMs(workedMs: number, utilization: number): number {
  return utilization < BUSY ? 0 : Math.min(workedMs * RESTS, REST_MS_MAX)
}

/** Keeps what is behind from taking the processor that arrivals need. */
export class Rest {
  #before = performance.eventLoopUtilization()

  /** How long to rest after work of so many milliseconds, by what the event loop has done since the last call. */
  after(workedMs: number): number {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#before)
    this.#before = now
    return restMs(workedMs, utilization)
  }
}
