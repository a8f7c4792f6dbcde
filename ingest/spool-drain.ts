import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Arrival, Principal, Route } from '../broker/types.ts'
import { verdictOf } from '../db/errors.ts'
import type { BatchName } from './batch-ids.ts'
import { type Books, itemsRecounted, itemsTaken } from './books.ts'
import { DatabaseAwayError } from './commit.ts'
import type { Committer } from './committer.ts'
import type { DatabaseGate } from './gate.ts'
import type { HeldMessage, Subject } from './message.ts'
import type { Spool, SpooledBatch } from './spool/types.ts'
import { arrivalOf, countItems } from './spooled-message.ts'

export interface SpoolDrainOptions {
  spool: Spool
  gate: DatabaseGate
  committer: Committer
  log: Logger
  holdMs: number
  batchItemsMax: number
  signal: AbortSignal
  routeOf: (principal: Principal, topic: string) => Route | undefined
  /** Decodes a message again and finds its devices; rejects while the database is away. */
  prepare: (arrival: Arrival, done: (error?: Error) => void) => Promise<HeldMessage>
  books: Books
}

const IDLE_MS = 200
/** After an error that is not the database's absence. */
const FAILED_MS = 5_000
const READ_BATCHES = 64
const READ_BYTES = 4 * 1_048_576

/**
 * Puts what is in the spool into the database, oldest first and one transaction at a time, so that live traffic keeps
 * its lanes. While the database is away, it probes: with the oldest batch, or an empty one while there is none.
 */
export class SpoolDrain {
  readonly #options: SpoolDrainOptions
  /** A transaction whose answer did not come in time. It may be committed, so exactly it is tried again, under its name. */
  #unanswered: { batches: SpooledBatch[]; name: BatchName } | undefined
  #running: Promise<void> | undefined

  constructor(options: SpoolDrainOptions) {
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Resolves when the step under way has ended; abort the signal first. */
  async stopped(): Promise<void> {
    await this.#running
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
    if (gate.mode === 'closed' && spool.stats.batches === 0) {
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
      if (isAway(error)) {
        gate.failed(performance.now(), error instanceof Error ? error.message : String(error))
        return
      }
      // A spool that cannot be read says nothing about the database: live batches will show how that is.
      gate.succeeded()
      throw error
    }
  }

  async #drainOldest(): Promise<void> {
    const { spool, committer, holdMs, books } = this.#options
    const { batches, tried } = await this.#next()
    const refused: HeldMessage[] = []
    const messages = await this.#prepare(batches, refused)
    const putBack = takeOut(books, batches, messages)
    try {
      await committer.write(messages, { tried, holdMs })
    } catch (error) {
      putBack()
      if (error instanceof DatabaseAwayError) this.#unanswered = { batches, name: error.batch }
      throw error
    }
    this.#unanswered = undefined
    for (const message of refused.splice(0)) await this.#setAside(message, refused)
    await spool.remove(batches)
  }

  /** What the next transaction takes, with the name under which all of it was tried already, if it was. */
  async #next(): Promise<{ batches: SpooledBatch[]; tried: BatchName | undefined }> {
    if (this.#unanswered) return { batches: this.#unanswered.batches, tried: this.#unanswered.name }
    const batches = this.#together(await this.#oldest())
    const [first] = batches
    return { batches, tried: first?.tried ? { id: first.id, writer: first.writer } : undefined }
  }

  /** A spool that cannot be read any more must not keep the gate open: then the probe is an empty batch. */
  async #oldest(): Promise<SpooledBatch[]> {
    const { spool, gate } = this.#options
    try {
      return await spool.oldest({ batches: READ_BATCHES, bytes: READ_BYTES })
    } catch (error) {
      if (gate.mode === 'half_open') return []
      throw error
    }
  }

  /** The oldest batch alone when it was tried under its name, otherwise as many untried ones as a transaction may hold. */
  #together(batches: SpooledBatch[]): SpooledBatch[] {
    if (batches[0]?.tried) return batches.slice(0, 1)
    let items = 0
    const end = batches.findIndex((batch, index) => {
      items += batch.items.readings + batch.items.doors + batch.items.status
      return batch.tried || (index > 0 && items > this.#options.batchItemsMax)
    })
    return end < 0 ? batches : batches.slice(0, end)
  }

  async #prepare(batches: readonly SpooledBatch[], refused: HeldMessage[]): Promise<HeldMessage[]> {
    const { routeOf, prepare, signal } = this.#options
    const arrivals = batches.flatMap(({ messages }) => messages.map((message) => arrivalOf(message, routeOf)))
    signal.throwIfAborted()
    return Promise.all(
      arrivals.map(async (arrival) => {
        const message: HeldMessage = await prepare(arrival, (error) => {
          if (error) refused.push(message)
        })
        return message
      }),
    )
  }

  /**
   * PostgreSQL refuses something of the message that is no row. It was acknowledged, so it is kept as rejected, or, if
   * it refuses even that, in the spool.
   */
  async #setAside(message: HeldMessage, refused: HeldMessage[]): Promise<void> {
    const { committer, signal, log, books } = this.#options
    itemsRecounted(books, message.subject, 1 - message.items)
    message.items = 1
    const detail = 'the database refused the message; it was acknowledged while the database was away'
    Object.assign(message, { readings: [], doors: [], status: null, receipt: null })
    message.rejects = [{ reason: 'invalid', detail, device: null, item: null, sqlstate: null }]
    await committer.write([message], {})
    if (refused.length === 0) return
    log.error(
      { topic: message.arrival.topic },
      'the database refuses to keep a rejected message: it stays in the spool',
    )
    while (!(await committer.spool([message]))) {
      await sleep(IDLE_MS, undefined, { signal })
    }
  }
}

function isAway(error: unknown): boolean {
  return error instanceof DatabaseAwayError || verdictOf(error) === 'retry'
}

/** Moves the books' items from the spool to what is in flight; returns what moves them back. */
function takeOut(
  books: Books,
  batches: readonly SpooledBatch[],
  messages: readonly HeldMessage[],
): () => void {
  const subjects: readonly Subject[] = ['readings', 'doors', 'status']
  const taken = { readings: 0, doors: 0, status: 0 }
  for (const { items } of batches) for (const subject of subjects) taken[subject] += items[subject]
  // Decoded again by another version, a message may have another number of items.
  const now = countItems(messages)
  const recount = (direction: 1 | -1) => {
    for (const subject of subjects)
      itemsRecounted(books, subject, (now[subject] - taken[subject]) * direction)
  }
  itemsTaken(books, taken, 1)
  recount(1)
  return () => {
    recount(-1)
    itemsTaken(books, taken, -1)
  }
}
