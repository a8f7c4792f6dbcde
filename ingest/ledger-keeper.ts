import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { pruneLedger } from '../db/ledger.ts'
import type { Spool } from './spool/types.ts'

const INTERVAL_MS = 10 * 60_000
/** Each step is a transaction of its own, short beside those of batches. */
const STEP_ROWS = 1_000
const STEP_PAUSE_MS = 50

export interface LedgerKeeperOptions {
  pool: Pool
  log: Logger
  spool: Pick<Spool, 'stats'>
  retentionDays: number
  /** Epoch milliseconds. */
  now: () => number
}

/**
 * Deletes rows of the ledger that are past their retention. While something is in the spool nothing goes: only its ledger
 * row tells that a batch which waits there is committed already, however long the database was away.
 */
export class LedgerKeeper {
  readonly #options: LedgerKeeperOptions
  readonly #end = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(options: LedgerKeeperOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.prune(), INTERVAL_MS)
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#end.abort()
    await this.#running
  }

  /** One round, or the one under way. Never throws. */
  prune(): Promise<void> {
    this.#running ??= this.#prune().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #prune(): Promise<void> {
    const { log } = this.#options
    try {
      const deleted = await this.#pruneInSteps()
      if (deleted > 0) log.info({ deleted }, 'rows of the ledger past their retention deleted')
    } catch (error) {
      log.warn({ err: error }, 'the ledger was not pruned, trying again later')
    }
  }

  async #pruneInSteps(): Promise<number> {
    const { pool, spool, retentionDays, now } = this.#options
    const { signal } = this.#end
    let total = 0
    let afterId = 0n
    while (!signal.aborted && spool.stats.batches === 0) {
      const step = await pruneLedger(pool, { retentionDays, rowsMax: STEP_ROWS, nowMs: now(), afterId })
      total += step.deleted
      afterId = step.lastId
      if (step.deleted < STEP_ROWS) break
      await sleep(STEP_PAUSE_MS, undefined, { signal }).catch(() => undefined)
    }
    return total
  }
}
