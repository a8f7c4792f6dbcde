import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Arrival, Principal, Route } from '../broker/types.ts'
import { type BatchOutcome, DrainedAlreadyError } from '../db/batches/write-batch.ts'
import { type Books, itemsRecounted, itemsStored, itemsTaken } from './books.ts'
import type { Committer } from './committer.ts'
import { DatabaseAwayError } from './database-away.ts'
import type { DatabaseGate } from './gate.ts'
import { type HeldMessage, SUBJECTS, type Subject } from './message.ts'
import { RefusedMessages } from './refused-messages.ts'
import type { Spool, SpooledBatch } from './spool/types.ts'
import { arrivalOf, countItems } from './spooled-message.ts'

export interface SpoolDrainOptions {
  spool: Spool
  gate: DatabaseGate
  committer: Committer
  log: Logger
  /**
   * How long the database may take for a transaction of the drain. Longer than a batch is held: nobody waits for it, and
   * a database that is slow, not away, would otherwise begin the same transaction again for ever.
   */
  transactionMs: number
  batchItemsMax: number
  signal: AbortSignal
  routeOf: (principal: Principal, topic: string) => Route | undefined
  /** Decodes a message again and finds its devices; rejects with a `DatabaseAwayError`. */
  prepare: (arrival: Arrival, done: (error?: Error) => void) => Promise<HeldMessage>
  books: Books
}

const IDLE_MS = 200
/** After an error that is not the database's absence. */
const FAILED_MS = 5_000
const READ_BATCHES = 64
const READ_BYTES = 1_048_576

/**
 * Puts what is in the spool into the database, oldest first and one transaction at a time, no larger than one of the
 * backlog (but for a single batch that was larger when it was spooled), so that live traffic keeps its lanes. While the
 * database is away, it probes: it asks the ledger, for as long as a batch is held, and then writes the oldest batch, or an
 * empty one while there is none.
 */
export class SpoolDrain {
  readonly #options: SpoolDrainOptions
  #running: Promise<void> | undefined
  /** Batches that were in the spool at the start and have not left it; undefined before. */
  #earlier: number | undefined
  readonly #refused: RefusedMessages

  constructor(options: SpoolDrainOptions) {
    this.#options = options
    this.#refused = new RefusedMessages({ ...options, remove: (batches) => this.#remove(batches) })
  }

  start(): void {
    this.#earlier = this.#options.spool.stats.batches
    this.#running = this.#run()
  }

  /** Resolves when the step under way has ended; abort the signal first. */
  async stopped(): Promise<void> {
    await this.#running
  }

  /** Whether the spool still holds something that it held at the start. Damaged batches count until it is empty. */
  get hasEarlier(): boolean {
    const { batches } = this.#options.spool.stats
    return batches > 0 && ((this.#earlier ?? batches) > 0 || this.#refused.leftBatches.length > 0)
  }

  async #run(): Promise<void> {
    const { signal, log } = this.#options
    while (!signal.aborted) {
      try {
        await this.#step()
      } catch (error) {
        if (signal.aborted) return
        log.error({ err: error }, 'the spool could not be drained, trying again')
        await sleep(FAILED_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #step(): Promise<void> {
    const { gate, spool, signal } = this.#options
    if (gate.mode === 'closed') await this.#refused.retry()
    if (gate.mode === 'closed' && spool.stats.batches <= this.#refused.leftBatches.length) {
      await sleep(IDLE_MS, undefined, { signal }).catch(() => undefined)
      return
    }
    if (gate.mode === 'open') {
      await sleep(gate.probeInMs(performance.now()), undefined, { signal }).catch(() => undefined)
      if (signal.aborted || !gate.beginProbe(performance.now())) return
    }
    try {
      await this.#drainOldest()
      if (gate.mode === 'half_open') this.#options.log.info('the database is back')
      gate.succeeded()
    } catch (error) {
      if (error instanceof DatabaseAwayError) {
        gate.failed(performance.now(), error.message)
        return
      }
      // What the spool or our own code fails on says nothing about the database: live batches will show how that is.
      gate.succeeded()
      throw error
    }
  }

  /**
   * Each spooled batch keeps its name, and the ledger gets a row for each: so what an earlier attempt, or an earlier
   * process, has committed is known, whatever became of the answer.
   */
  async #drainOldest(): Promise<void> {
    const { committer, transactionMs, books } = this.#options
    const batches = this.#together(await this.#oldest())
    const ledger = await committer.committed(batches)
    const stored = batches.filter(({ id, writer }) => ledger.get(id)?.writer === writer)
    if (stored.length > 0)
      return this.#leave(
        stored,
        stored.map(({ id }) => ledger.get(id)),
      )
    const messages = await this.#prepare(batches)
    const putBack = takeOut(books, batches, messages)
    try {
      // A name that another process has taken is no name of ours: then the transaction gets a new one.
      const [name, ...others] = batches
        .filter(({ id }) => !ledger.has(id))
        .map(({ id, writer }) => ({ id, writer }))
      await committer.write(messages, {
        holdMs: transactionMs,
        ...(name ? { drained: { name, others } } : {}),
      })
    } catch (error) {
      putBack()
      // The next step asks which.
      if (error instanceof DrainedAlreadyError) return
      throw error
    }
    await this.#remove(await this.#refused.setAside(batches, messages))
  }

  /** Batches that are in the database already. */
  async #leave(batches: SpooledBatch[], rows: readonly (LedgerRow | undefined)[]): Promise<void> {
    const { books } = this.#options
    itemsStored(books, totalItems(batches), {
      readings: rows.reduce((sum, row) => sum + (row?.readings ?? 0), 0),
      doors: rows.reduce((sum, row) => sum + (row?.doors ?? 0), 0),
    })
    await this.#remove(batches)
  }

  /** They are drained in order, so the earlier ones go first. */
  async #remove(batches: readonly SpooledBatch[]): Promise<void> {
    const { spool, committer } = this.#options
    await spool.remove(batches)
    committer.settled(batches)
    if (this.#earlier !== undefined) this.#earlier -= batches.length
  }

  /** A spool that cannot be read any more must not keep the gate open: then the probe is an empty batch. */
  async #oldest(): Promise<SpooledBatch[]> {
    const { spool, gate } = this.#options
    try {
      this.#refused.requireFew()
      const except = this.#refused.leftBatches
      return await spool.oldest({ batches: READ_BATCHES, bytes: READ_BYTES, except })
    } catch (error) {
      if (gate.mode === 'half_open') return []
      throw error
    }
  }

  /**
   * The oldest batch alone when it was tried under its name, otherwise as many untried ones as a transaction may hold. Beside a
   * row that PostgreSQL refuses, which makes it halve the transaction, a batch would lose its name; one whose COMMIT is
   * still under way would be stored a second time then.
   */
  #together(batches: SpooledBatch[]): SpooledBatch[] {
    if (batches[0]?.tried) return batches.slice(0, 1)
    let items = 0
    const end = batches.findIndex((batch, index) => {
      items += batch.items.readings + batch.items.doors + batch.items.status
      return batch.tried || (index > 0 && items > this.#options.batchItemsMax)
    })
    return end < 0 ? batches : batches.slice(0, end)
  }

  async #prepare(batches: readonly SpooledBatch[]): Promise<HeldMessage[]> {
    const { routeOf, prepare, signal } = this.#options
    const arrivals = batches.flatMap(({ messages }) => messages.map((message) => arrivalOf(message, routeOf)))
    signal.throwIfAborted()
    return Promise.all(
      arrivals.map(async (arrival) => {
        const message: HeldMessage = await prepare(arrival, (error) => {
          if (error) this.#refused.note(message)
        })
        return message
      }),
    )
  }
}

/** Moves the books' items from the spool to what is in flight; returns what moves them back. */
function takeOut(
  books: Books,
  batches: readonly SpooledBatch[],
  messages: readonly HeldMessage[],
): () => void {
  const taken = totalItems(batches)
  // Decoded again by another version, a message may have another number of items.
  const now = countItems(messages)
  const recount = (direction: 1 | -1) => {
    for (const subject of SUBJECTS)
      itemsRecounted(books, subject, (now[subject] - taken[subject]) * direction)
  }
  itemsTaken(books, taken, 1)
  recount(1)
  return () => {
    recount(-1)
    itemsTaken(books, taken, -1)
  }
}

type LedgerRow = Pick<BatchOutcome, 'readings' | 'doors'>

function totalItems(batches: readonly SpooledBatch[]): Record<Subject, number> {
  const total = { readings: 0, doors: 0, status: 0 }
  for (const { items } of batches) for (const subject of SUBJECTS) total[subject] += items[subject]
  return total
}
