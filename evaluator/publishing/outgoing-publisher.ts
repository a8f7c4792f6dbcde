import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { noteBroker } from '../../db/publishing/brokers.ts'
import {
  forgetPublished,
  type OutgoingRow,
  readOutgoing,
  settleOutgoing,
} from '../../db/publishing/outgoing.ts'
import { Periodic } from '../../ingest/periodic.ts'
import { within } from '../../ingest/within.ts'
import { queueMissingStatuses } from './queue-units.ts'

/** Messages read at once. */
const PAGE_ROWS = 500
/** Looked for without being woken: another process may evaluate. */
const POLL_MS = 1_000
/** So often it is noted that this broker is there. While the database takes no note, it takes no readings either. */
const NOTE_MS = 5_000
/** Behind a database that hangs, a stop does not wait. */
const STOP_MS = 1_000

export interface OutgoingPublisherOptions {
  pool: Pool
  /** The same after a restart. */
  brokerId: string
  /** What waits for a broker that is away is kept for so long, while there is another one. */
  keptMs: number
  log: Logger
  /** Resolves when the broker has taken the message. */
  publish: (message: { topic: string; payload: string; qos: 1; retain: boolean }) => Promise<void>
  now: () => number
  pollMs?: number
}

/**
 * Publishes what the evaluator has put into `pipeline.outgoing_messages`, in order and one after the other, in each process
 * that has a broker: whoever is connected to one of them hears everything once. What all have published is deleted; of retained
 * messages the newest stays and is published again after a start. What could not be noted as published comes again after a restart.
 */
export class OutgoingPublisher {
  readonly #options: OutgoingPublisherOptions
  #stopping: AbortController | undefined
  #running: Promise<void> | undefined
  readonly #notes = new Periodic(NOTE_MS, () => this.#noteAndForget().then(noResult, noResult))
  #wake = Promise.withResolvers<void>()
  /** Messages up to this one have been published here, now or before the start; undefined: not known yet. */
  #publishedId: number | undefined
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
    this.#notes.start()
  }

  /** Something has been put there. */
  wake(): void {
    this.#wake.resolve()
  }

  /** What is being published at the moment is finished, unless that takes long; the rest stays for the next start. */
  async stop(): Promise<void> {
    this.#stopping?.abort()
    if (this.#running) await within(STOP_MS, Promise.all([this.#running, this.#notes.stop()]))
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
    this.#publishedId ??= await this.#note()
    if (!this.#isComplete) await queueMissingStatuses(pool, now())
    this.#isComplete = true
    let rows: OutgoingRow[]
    do {
      rows = await readOutgoing(pool, {
        publishedId: this.#publishedId,
        retainedId: this.#retainedId,
        rowsMax: PAGE_ROWS,
      })
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
        this.#publishedId = Math.max(this.#publishedId ?? 0, row.id)
        published.push(row)
      }
    } finally {
      this.published += published.length
      await settleOutgoing(this.#options.pool, this.#options.brokerId, published)
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

  async #noteAndForget(): Promise<void> {
    await this.#note()
    await forgetPublished(this.#options.pool)
  }

  /** That this broker is there. */
  #note(): Promise<number> {
    const { pool, brokerId, keptMs } = this.#options
    return noteBroker(pool, { id: brokerId, keptMs })
  }

  /** One line, however often it fails. */
  #noteFailure(error: unknown): void {
    if (!this.#isFailing) this.#options.log.warn({ err: error }, 'alerts not published yet, trying again')
    this.#isFailing = true
  }
}

function noResult(): void {}
