import { setTimeout as sleep } from 'node:timers/promises'

/** From this share of busy time on, whatever is done beside what arrives delays it. */
const BUSY = 0.95
/** In place of a share: batches are full, so more waits than the database takes, however much time the thread has left. */
export const OVERRUN = 2
/** Then it rests so many times as long as it has worked: a quarter of the time is left to it. */
const RESTS = 3
const REST_MS_MAX = 1_000

/** Up to this lag arrivals come first: a tenth of the time is left to catching up, as it takes PostgreSQL's processor too. */
const PATIENCE_MS = 60_000
const PATIENT_RESTS = 9

/** What the work was done beside. */
interface Beside {
  /** Share of the time in which the thread that takes what arrives was busy, or `OVERRUN`. */
  utilization: number
  /** Whether more waits than is judged in a moment. While it keeps up with what is only busy, a rest would put its work off for nothing. */
  isBehind: boolean
  /** Whether something has arrived meanwhile. */
  isArriving: boolean
  /** How old the oldest row is that is not judged. */
  lagMs: number
}

/** How long to rest after work of so many milliseconds on what is behind. */
export function restMs(workedMs: number, { utilization, isBehind, isArriving, lagMs }: Beside): number {
  if (utilization < (isBehind ? BUSY : OVERRUN)) return 0
  const isPatient = isArriving && lagMs < PATIENCE_MS
  return Math.min(workedMs * (isPatient ? PATIENT_RESTS : RESTS), REST_MS_MAX)
}

/** Leaves the processor to what arrives, where that has too little of it. `startedAtMs`: by `performance.now()`. */
export async function restAfter(startedAtMs: number, beside: Beside): Promise<void> {
  const ms = restMs(performance.now() - startedAtMs, beside)
  if (ms > 0) await sleep(ms)
}
