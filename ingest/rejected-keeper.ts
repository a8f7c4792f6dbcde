import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { pruneRejected } from '../db/rejected.ts'

const INTERVAL_MS = 60_000

export interface RejectedKeeperOptions {
  pool: Pool
  log: Logger
  retentionDays: number
  perClientMax: number
}

/** Keeps the rejected messages within their retention and each client within its share, once a minute. */
export class RejectedKeeper {
  readonly #options: RejectedKeeperOptions
  #timer: NodeJS.Timeout | undefined

  constructor(options: RejectedKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.#prune(), INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #prune(): Promise<void> {
    const { pool, log, retentionDays, perClientMax } = this.#options
    try {
      const deleted = await pruneRejected(pool, { retentionDays, perClientMax })
      if (deleted > 0) log.info({ deleted }, 'rejected items past their retention or their share deleted')
    } catch (error) {
      log.warn({ err: error }, 'rejected messages not pruned, trying again in a minute')
    }
  }
}
