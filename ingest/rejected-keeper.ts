import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { pruneRejected, pruneRejectedOf } from '../db/rejected.ts'

const INTERVAL_MS = 60_000
/** A client that has written so much of its share since it was last cut to it is cut at once. */
const EARLY_SHARE = 0.1

export interface RejectedKeeperOptions {
  pool: Pool
  log: Logger
  retentionDays: number
  perClientMax: number
}

/**
 * Keeps the rejected messages within their retention and each client within its share: all once a minute, and a client
 * that floods as soon as it has written a tenth of its share. One deletion at a time.
 */
export class RejectedKeeper {
  readonly #options: RejectedKeeperOptions
  /** Items of each client since it was last cut to its share. */
  readonly #written = new Map<string, number>()
  /** Clients that wait to be cut to their share. */
  readonly #due = new Set<string>()
  #last: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(options: RejectedKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => this.#queue(() => this.#pruneAll()), INTERVAL_MS)
  }

  /** Resolves when the deletion under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#due.clear()
    await this.#last
  }

  /** To be told of each message whose rejected items are committed. */
  written(client: string, items: number): void {
    if (items === 0) return
    const sum = (this.#written.get(client) ?? 0) + items
    this.#written.set(client, sum)
    if (sum < this.#options.perClientMax * EARLY_SHARE || this.#due.has(client)) return
    this.#due.add(client)
    this.#queue(() => this.#pruneClient(client))
  }

  #queue(work: () => Promise<number>): void {
    const { log } = this.#options
    this.#last = this.#last.then(work).then(
      (deleted) => {
        if (deleted > 0) log.info({ deleted }, 'rejected items past their retention or their share deleted')
      },
      (error: unknown) => {
        log.warn({ err: error }, 'rejected messages not pruned, trying again in a minute')
      },
    )
  }

  async #pruneAll(): Promise<number> {
    const { pool, retentionDays, perClientMax } = this.#options
    this.#written.clear()
    return pruneRejected(pool, { retentionDays, perClientMax })
  }

  async #pruneClient(client: string): Promise<number> {
    const { pool, perClientMax } = this.#options
    // What is written from here on may not be seen by this deletion: it counts for the next one.
    if (!this.#due.delete(client)) return 0
    this.#written.delete(client)
    return pruneRejectedOf(pool, client, perClientMax)
  }
}
