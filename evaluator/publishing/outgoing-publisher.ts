import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { type OutgoingRow, readOutgoing, settleOutgoing } from '../../db/publishing/outgoing.ts'
import { within } from '../../ingest/within.ts'
import { queueMissingStatuses } from './queue-units.ts'

/** Messages read at once. */
const PAGE_ROWS = 500
/** Looked for without being woken: another process may evaluate. */
const POLL_MS = 1_000
/** Behind a database that hangs, a stop does not wait. */
const STOP_MS = 1_000

export interface OutgoingPublisherOptions {
  pool: Pool
  log: Logger
  /** Resolves when the broker has taken the message. */
  publish: (message: { topic: string; payload: string; qos: 1; retain: boolean }) => Promise<void>
  now: () => number
  pollMs?: number
}

/**
 * Publishes what the evaluator has put into `pipeline.outgoing_messages`, in order and one after the other, in the process
 * that has the broker. What is published is deleted; of retained messages the newest stays and is published again after a
 * start. A message whose deletion fails is published twice.
 *
 * A known limit: it takes this process for the only one with a broker.
 */
export class OutgoingPublisher {
  readonly #options: OutgoingPublisherOptions
  #stopping: AbortController | undefined
  #running: Promise<void> | undefined
  #wake = Promise.withResolvers<void>()
  /** Retained messages up to this one have been published since the start. */
  #retainedId = 0
  #isComplete = false
  #isFailing = false
  /** Messages that the broker has taken. */
  published = 0

  constructor(options: OutgoingPublisherOptions) {
    this.#options = options
  }

  start(): void {
    this.#stopping ??= new AbortController()
    this.#running ??= this.#run(this.#stopping.signal)
  }

  /** Something has been put there. */
  wake(): void {
    this.#wake.resolve()
  }

  /** What is being published at the moment is finished, unless that takes long; the rest stays for the next start. */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    if (this.#running) await within(STOP_MS, this.#running)
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#publishAll(signal).then(
        () => {
          this.#isFailing = false
        },
        (error: unknown) => this.#noteFailure(error),
      )
      await this.#untilWoken(signal)
    }
  }

  async #publishAll(signal: AbortSignal): Promise<void> {
    const { pool, now } = this.#options
    if (!this.#isComplete) await queueMissingStatuses(pool, now())
    this.#isComplete = true
    let rows: OutgoingRow[]
    do {
      rows = await readOutgoing(pool, { retainedId: this.#retainedId, rowsMax: PAGE_ROWS })
      await this.#publishPage(rows, signal)
    } while (rows.length === PAGE_ROWS && !signal.aborted)
  }

  async #publishPage(rows: readonly OutgoingRow[], signal: AbortSignal): Promise<void> {
    const published: OutgoingRow[] = []
    try {
      for (const row of rows) {
        if (signal.aborted) return
        const { topic, payload, retain } = row
        await this.#options.publish({ topic, payload, qos: 1, retain })
        if (retain) this.#retainedId = row.id
        published.push(row)
      }
    } finally {
      this.published += published.length
      await settleOutgoing(this.#options.pool, published)
    }
  }

  async #untilWoken(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const timer = new AbortController()
    const stopping = () => timer.abort()
    signal.addEventListener('abort', stopping, { once: true })
    const later = sleep(this.#options.pollMs ?? POLL_MS, undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([this.#wake.promise, later])
    this.#wake = Promise.withResolvers()
    signal.removeEventListener('abort', stopping)
    timer.abort()
  }

  /** One line, however often it fails. */
  #noteFailure(error: unknown): void {
    if (!this.#isFailing) this.#options.log.warn({ err: error }, 'alerts not published yet, trying again')
    this.#isFailing = true
  }
}
