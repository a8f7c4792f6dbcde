import type { Logger } from 'pino'
import type { BatchOutcome } from '../db/batches/write-batch.ts'
import { rejectedAnswer } from './answers.ts'
import type { BacklogUnderWay } from './backlog-under-way.ts'
import { type Books, countRejects, itemsReleased, itemsReturned, itemsSpooled } from './books.ts'
import { eachCount, type HeldMessage, type Subject } from './message.ts'
import type { IngestOptions } from './options.ts'
import type { Receipts } from './receipts.ts'
import type { RejectedKeeper } from './rejected-keeper.ts'

interface OutcomesOptions {
  log: Logger
  books: Books
  receipts: Pick<Receipts, 'durable'>
  rejected: Pick<RejectedKeeper, 'written'>
  publish: IngestOptions['publish']
  backlog: Pick<BacklogUnderWay, 'delete'>
}

/** What becomes of a message when its fate is known: it is booked, answered, and acknowledged or given back. */
export class Outcomes {
  readonly #options: OutcomesOptions

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  /** All of a batch is in the database. `rows` counts duplicates within the batch too. */
  committed(messages: readonly HeldMessage[], rows: BatchOutcome): void {
    const { books, rejected } = this.#options
    books.readings.committed += rows.readings
    books.readings.duplicate += rows.readingsDuplicate
    books.doors.committed += rows.doors
    books.doors.duplicate += rows.doorsDuplicate
    const release = (subject: Subject, items: number) => itemsReleased(books, subject, items)
    for (const message of messages) {
      countRejects(books, message)
      rejected.written(message.arrival.principal.username, message.rejects.length)
      eachCount(message, release)
      this.#tell(message, { isJudged: true })
      this.#settle(message)
    }
  }

  /** All of a batch is in the spool: what is rejected of it is answered when it is in the database. */
  spooled(messages: readonly HeldMessage[]): void {
    const { books } = this.#options
    for (const message of messages) {
      eachCount(message, (subject, items) => itemsSpooled(books, subject, items))
      this.#tell(message, { isJudged: false })
      this.#settle(message)
    }
  }

  /** A message is in neither: its client must send it again. */
  givenBack(message: HeldMessage, error: Error): void {
    // One of the spool has no client that waits: it is kept (spool-drain.ts).
    if (!message.isSpooled) {
      eachCount(message, (subject, items) => itemsReturned(this.#options.books, subject, items))
    }
    this.#settle(message, error)
  }

  #settle(message: HeldMessage, error?: Error): void {
    if (message.arrival.isBacklog) this.#options.backlog.delete(message)
    message.done(error)
  }

  /** The message is durable, so it is acknowledged, whatever may go wrong in telling others about it. */
  #tell(message: HeldMessage, { isJudged }: { isJudged: boolean }): void {
    const { arrival, receipt } = message
    try {
      if (receipt) this.#options.receipts.durable(receipt, Date.now())
      const answer = isJudged ? rejectedAnswer(message) : null
      if (answer) this.#publish({ ...answer, retain: false })
    } catch (error) {
      this.#options.log.error({ err: error, topic: arrival.topic }, 'durable, but not answered')
    }
  }

  #publish(message: { topic: string; payload: string; retain: boolean }): void {
    this.#options.publish({ ...message, qos: 1 }).catch((error: Error) => {
      this.#options.log.warn({ err: error, topic: message.topic }, 'not published')
    })
  }
}
