import type { Logger } from 'pino'
import type { BatchName } from './batch-ids.ts'
import { type Books, itemsRecounted, itemsTaken } from './books.ts'
import type { Committer } from './committer.ts'
import { eachCount, type HeldMessage } from './message.ts'
import type { SpooledBatch } from './spool/types.ts'
import { countItems } from './spooled-message.ts'

export interface RefusedMessagesOptions {
  committer: Pick<Committer, 'write'>
  books: Books
  log: Logger
  /** Takes batches out of the spool. */
  remove: (batches: readonly SpooledBatch[]) => Promise<void>
}

/** What PostgreSQL refuses to keep is offered to it again this often. */
const RETRY_MS = 60_000
/** So many batches with such messages are passed over; with more the drain waits. */
const LEFT_BATCHES_MAX = 100
const DETAIL = 'the database refused the message; it was acknowledged while the database was away'

/**
 * Messages out of the spool of which PostgreSQL refuses something that is no row. They were acknowledged, so they are kept
 * as rejected. Where it refuses even that, their batch is left in the spool, and the drain goes on behind it: room for such a
 * message alone may never come, as a full spool gets it by what is removed, and one that has failed does not. After a
 * restart such a batch is drained whole again.
 */
export class RefusedMessages {
  readonly #options: RefusedMessagesOptions
  /** Of what was written, and not set aside yet. */
  readonly #refused = new Set<HeldMessage>()
  readonly #left = new Map<SpooledBatch, readonly HeldMessage[]>()
  /** `performance.now()`. */
  #retryAtMs = 0

  constructor(options: RefusedMessagesOptions) {
    this.#options = options
  }

  /** PostgreSQL has refused it. */
  note(message: HeldMessage): void {
    this.#refused.add(message)
  }

  /** What the drain passes over. */
  get leftBatches(): BatchName[] {
    return Array.from(this.#left.keys(), ({ id, writer }) => ({ id, writer }))
  }

  /** Throws when so many batches are left that the drain may not go on. */
  requireFew(): void {
    if (this.#left.size < LEFT_BATCHES_MAX) return
    throw new Error(
      `The database refuses to keep rejected messages of ${this.#left.size} batches, at most ${LEFT_BATCHES_MAX} are ` +
        'passed over: the spool is drained again when it keeps them. See the errors before this one.',
    )
  }

  /** Keeps the refused ones of these messages, which are those of the batches. Returns the batches that are stored now. */
  async setAside(
    batches: readonly SpooledBatch[],
    messages: readonly HeldMessage[],
  ): Promise<SpooledBatch[]> {
    if (this.#refused.size === 0) return [...batches]
    const stored: SpooledBatch[] = []
    let from = 0
    for (const batch of batches) {
      const own = messages.slice(from, from + batch.messages.length)
      from += batch.messages.length
      const unkept = await this.#keep(own.filter((message) => this.#refused.has(message)))
      if (unkept.length === 0) stored.push(batch)
      else this.#left.set(batch, unkept)
    }
    this.#refused.clear()
    this.#retryAtMs = performance.now() + RETRY_MS
    return stored
  }

  /** Offers what was left to PostgreSQL again, once in a while. */
  async retry(): Promise<void> {
    if (this.#left.size === 0 || performance.now() < this.#retryAtMs) return
    this.#retryAtMs = performance.now() + RETRY_MS
    for (const [batch, messages] of this.#left) {
      itemsTaken(this.#options.books, countItems(messages), 1)
      const unkept = await this.#keep(messages)
      if (unkept.length > 0) {
        this.#left.set(batch, unkept)
        continue
      }
      this.#left.delete(batch)
      await this.#options.remove([batch])
    }
  }

  /** Returns those that are refused again: their items are back in the spool. */
  async #keep(messages: readonly HeldMessage[]): Promise<HeldMessage[]> {
    const { committer, books, log } = this.#options
    const unkept: HeldMessage[] = []
    for (const message of messages) {
      eachCount(message, (subject, items) => itemsRecounted(books, subject, -items))
      itemsRecounted(books, message.subject, 1)
      Object.assign(message, { items: 1, doorItems: 0 })
      Object.assign(message, { readings: [], doors: [], status: null, receipt: null })
      message.rejects = [{ reason: 'invalid', detail: DETAIL, device: null, item: null, sqlstate: null }]
      this.#refused.delete(message)
      await committer.write([message], {})
      if (!this.#refused.delete(message)) continue
      itemsTaken(books, countItems([message]), -1)
      unkept.push(message)
      log.error(
        { topic: message.arrival.topic, retryInMs: RETRY_MS },
        'the database refuses to keep a rejected message: its batch stays in the spool, the drain goes on behind it',
      )
    }
    return unkept
  }
}
