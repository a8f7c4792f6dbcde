import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { type Lease, releaseLease, takeLease } from '../db/evaluation/lease.ts'

/** Somebody else evaluates by now; what this process made of it is not kept. */
export class LeaseLostError extends Error {
  override name = 'LeaseLostError'

  constructor() {
    super('another process evaluates by now: what this one made of the last rows is not kept')
  }
}

/** A lease is asked for, and made longer, so many times in its term. */
const ASKS = 4

/** A lease that was taken, and is to be held: else another process would begin beside this one. */
export class HeldLease {
  readonly lease: Lease
  readonly #pool: Pool
  readonly #loss = new AbortController()
  #keptAtMs: number

  /** `takenAtMs`: by `performance.now()`, when it was asked for. */
  constructor(pool: Pool, lease: Lease, takenAtMs: number) {
    this.#pool = pool
    this.lease = lease
    this.#keptAtMs = takenAtMs
  }

  /** Aborted, with a `LeaseLostError`, when it is found that somebody else has it: nothing is to be waited for any more. */
  get lost(): AbortSignal {
    return this.#loss.signal
  }

  /** Makes it longer when that is due. Rejects with a `LeaseLostError`. */
  async hold(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs - this.#keptAtMs < this.lease.forMs / ASKS) return
    if (!(await takeLease(this.#pool, this.lease))) this.#loss.abort(new LeaseLostError())
    this.lost.throwIfAborted()
    this.#keptAtMs = nowMs
  }

  /** Holds it beside work that may take longer than its term. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const end = new AbortController()
    const holding = this.#holdUntil(end.signal)
    // It is waited for below.
    holding.catch(() => undefined)
    try {
      return await work()
    } finally {
      end.abort()
      await holding
    }
  }

  async #holdUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.hold()
      } catch (error) {
        // Otherwise it is asked again: the work may hold it locked with what it writes, and finds itself whether the database is away.
        if (error instanceof LeaseLostError) throw error
      }
      await sleep(this.lease.forMs / ASKS, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** Waits until this process is the one that evaluates; undefined when the signal came first. */
export async function waitForLease(
  pool: Pool,
  lease: Lease,
  { signal, onWait }: { signal: AbortSignal; onWait: () => void },
): Promise<HeldLease | undefined> {
  let isTold = false
  while (!signal.aborted) {
    const askedAtMs = performance.now()
    if (await takeLease(pool, lease)) return new HeldLease(pool, lease, askedAtMs)
    if (!isTold) onWait()
    isTold = true
    await sleep(lease.forMs / ASKS, undefined, { signal }).catch(() => undefined)
  }
  return undefined
}

/** For a clean end. Where the database is away, the lease ends by itself. */
export async function giveLeaseBack(pool: Pool, lease: Lease): Promise<void> {
  await releaseLease(pool, lease).catch(() => undefined)
}
