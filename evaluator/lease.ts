import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { type Lease, releaseLease, takeLease } from '../db/evaluation/lease.ts'

/** Somebody else evaluates by now; what this process made of it is not kept. */
export class LeaseLostError extends Error {
  override name = 'LeaseLostError'
}

/** Asks so many times in its term. */
const ASKS = 4

/** Waits until this process is the one that evaluates; false when the signal came first. */
export async function waitForLease(
  pool: Pool,
  lease: Lease,
  { signal, onWait }: { signal: AbortSignal; onWait: () => void },
): Promise<boolean> {
  let isTold = false
  while (!signal.aborted) {
    if (await takeLease(pool, lease)) return true
    if (!isTold) onWait()
    isTold = true
    await sleep(lease.forMs / ASKS, undefined, { signal }).catch(() => undefined)
  }
  return false
}

/** For a clean end. Where the database is away, the lease ends by itself. */
export async function giveLeaseBack(pool: Pool, lease: Lease): Promise<void> {
  await releaseLease(pool, lease).catch(() => undefined)
}
