/** Above this a step of the wall clock counts as downtime: silence cannot be judged across it. */
const STEP_MS = 60_000

/** A time in which we could not hear or judge, epoch milliseconds. */
export interface Interval {
  fromMs: number
  toMs: number
}

/** Finds steps of the wall clock by comparing it with the monotonic one. */
export class ClockWatch {
  #wallMs: number
  #monotonicMs: number

  constructor(wallMs: number, monotonicMs: number) {
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
  }

  /** The time that a step since the last call has skipped, or has given twice; undefined where there was none. */
  check(wallMs: number, monotonicMs: number): Interval | undefined {
    const expectedMs = this.#wallMs + Math.round(monotonicMs - this.#monotonicMs)
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    if (Math.abs(wallMs - expectedMs) <= STEP_MS) return undefined
    return { fromMs: Math.min(wallMs, expectedMs), toMs: Math.max(wallMs, expectedMs) }
  }
}
