import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Presence, Principal } from '../broker/types.ts'
import { expireHubs, recordSightings } from '../db/hubs.ts'
import { Periodic } from './periodic.ts'

const FLUSH_MS = 2_000

/**
 * Which hubs are connected, and when each was last heard of. Sightings are gathered and written every two seconds;
 * what a hub says of itself goes with its batch instead, because it is acknowledged.
 */
export class HubPresence implements Presence {
  readonly #options: { pool: Pool; log: Logger; now: () => number }
  readonly #connections = new Map<number, number>()
  readonly #flushes = new Periodic(FLUSH_MS, () => this.#flush())
  #seen = new Map<number, number>()

  constructor(options: { pool: Pool; log: Logger; now: () => number }) {
    this.#options = options
  }

  start(): void {
    this.#flushes.start()
  }

  stop(): Promise<void> {
    return this.#flushes.stop()
  }

  connected(principal: Principal): void {
    if (principal.kind !== 'hub') return
    this.#connections.set(principal.id, (this.#connections.get(principal.id) ?? 0) + 1)
    this.seen(principal.id, this.#options.now())
  }

  disconnected(principal: Principal): void {
    if (principal.kind !== 'hub') return
    const left = (this.#connections.get(principal.id) ?? 0) - 1
    if (left > 0) this.#connections.set(principal.id, left)
    else this.#connections.delete(principal.id)
  }

  connectionsOf(hubId: number): number {
    return this.#connections.get(hubId) ?? 0
  }

  seen(hubId: number, atMs: number): void {
    this.#seen.set(hubId, atMs)
  }

  async #flush(): Promise<void> {
    const { pool, log, now } = this.#options
    const seen = this.#seen
    this.#seen = new Map()
    try {
      if (seen.size > 0) {
        await recordSightings(
          pool,
          [...seen].map(([hubId, seenAtMs]) => ({ hubId, seenAtMs })),
        )
      }
      await expireHubs(pool, { connected: [...this.#connections.keys()], nowMs: now() })
    } catch (error) {
      for (const [hubId, atMs] of seen) if (!this.#seen.has(hubId)) this.#seen.set(hubId, atMs)
      log.warn({ err: error }, 'hub sightings not written yet, trying again')
    }
  }
}
