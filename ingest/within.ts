import { setTimeout as sleep } from 'node:timers/promises'

/** Waits for the work, but not longer than this. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController()
  const limit = sleep(limitMs, undefined, { signal: over.signal }).catch(() => undefined)
  await Promise.race([work.finally(() => over.abort()), limit])
}
