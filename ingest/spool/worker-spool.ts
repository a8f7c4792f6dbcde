import type { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { AppendQueue } from './append-queue.ts'
import { decodeMessages, encodeMessages } from './encoding.ts'
import { SpoolFailedError, SpoolFullError } from './errors.ts'
import { contentUnknown, isClosed, threadDied, tooOld } from './reasons.ts'
import type { ReadLimits, Spool, SpooledBatch, SpoolState, SpoolStats } from './types.ts'
import { WorkerCalls } from './worker-calls.ts'
import type { EncodedBatch, Trouble } from './worker-messages.ts'

export interface WorkerSpoolOptions {
  file: string
  ageMaxMs: number
  /** Epoch milliseconds. */
  now: () => number
  log: Logger
}

/**
 * The spool as the rest of ingest sees it: encodes and decodes, gathers appends, and asks its thread. Its state follows
 * from the thread's last report, the age of the oldest batch, and whether the thread lives.
 */
export class WorkerSpool implements Spool {
  readonly #options: WorkerSpoolOptions
  readonly #calls: WorkerCalls
  readonly #appends: AppendQueue
  #stats: SpoolStats = {
    batches: 0,
    messages: 0,
    bytes: 0,
    oldestReceivedAtMs: null,
    items: { readings: 0, doors: 0, status: 0 },
  }
  #trouble: Trouble | undefined
  /** A batch that the thread can read, and this version cannot. */
  #unreadable: Trouble | undefined
  #closing: Promise<void> | undefined

  /** `worker` runs spool-worker.ts; the spool may be used when `opened` has resolved. */
  constructor(worker: Worker, options: WorkerSpoolOptions) {
    this.#options = options
    this.#calls = new WorkerCalls(worker, {
      onReport: ({ stats, trouble }) => {
        this.#stats = stats
        this.#enter(this.#unreadable ?? trouble)
      },
      onDied: ({ message }) => this.#enter({ state: 'failed', reason: message }),
      diedBecause: (why) => threadDied(options.file, why),
    })
    this.#appends = new AppendQueue((appends) => this.#write(appends))
  }

  /** Rejects with a `SpoolFailedError` when the file cannot be opened. */
  get opened(): Promise<void> {
    return this.#calls.opened
  }

  get stats(): SpoolStats {
    return this.#stats
  }

  get state(): SpoolState {
    return this.#currentTrouble()?.state ?? 'ready'
  }

  get reason(): string | undefined {
    return this.#currentTrouble()?.reason
  }

  async append(batches: readonly SpooledBatch[]): Promise<void> {
    this.#requireOpen()
    if (batches.length === 0) return
    if (this.#trouble?.state === 'failed') throw new SpoolFailedError(this.#trouble.reason)
    const isTooOld = this.#tooOld()
    if (isTooOld) throw new SpoolFullError(isTooOld.reason)
    const refusal = await this.#appends.add(batches.map(encodeBatch))
    if (refusal !== null) throw new SpoolFullError(refusal)
  }

  async oldest(limits: ReadLimits): Promise<SpooledBatch[]> {
    this.#requireOpen()
    const batches = await this.#calls.call('oldest', limits)
    try {
      return batches.map((batch) => decodeBatch(batch, this.#options.file))
    } catch (error) {
      if (error instanceof SpoolFailedError) this.#unreadable = { state: 'failed', reason: error.message }
      this.#enter(this.#unreadable)
      throw error
    }
  }

  async remove(ids: readonly { id: bigint; writer: string }[]): Promise<void> {
    this.#requireOpen()
    if (ids.length === 0) return
    await this.#calls.call(
      'remove',
      ids.map(({ id, writer }) => ({ id, writer })),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#appends.idle().then(() => this.#calls.close())
    return this.#closing
  }

  #write(appends: EncodedBatch[][]): Promise<(string | null)[]> {
    const contents = appends.flat().map(({ content }) => content.buffer)
    return this.#calls.call('append', appends, contents)
  }

  #requireOpen(): void {
    if (this.#closing) throw new SpoolFailedError(isClosed(this.#options.file))
  }

  #currentTrouble(): Trouble | undefined {
    return this.#trouble ?? this.#tooOld()
  }

  #tooOld(): Trouble | undefined {
    const { file, ageMaxMs, now } = this.#options
    const since = this.#stats.oldestReceivedAtMs
    if (since === null || now() - since <= ageMaxMs) return undefined
    return { state: 'full', reason: tooOld(file, since, ageMaxMs) }
  }

  /** The one place where the state changes; said once each time. */
  #enter(trouble: Trouble | undefined): void {
    const before = this.#trouble?.state
    this.#trouble = trouble
    if (trouble?.state === before) return
    const { log } = this.#options
    if (trouble === undefined) log.info('the spool takes batches again')
    else if (trouble.state === 'full') log.warn(trouble.reason)
    else log.error(trouble.reason)
  }
}

function encodeBatch({ id, writer, tried, messages, items }: SpooledBatch): EncodedBatch {
  const receivedAtMs = messages.reduce((least, { receivedAt }) => Math.min(least, receivedAt), Infinity)
  return {
    id,
    writer,
    tried,
    messages: messages.length,
    items,
    // A batch without messages never happens; it must not break the column either.
    receivedAtMs: Number.isFinite(receivedAtMs) ? receivedAtMs : 0,
    content: encodeMessages(messages),
  }
}

function decodeBatch({ id, writer, tried, items, content }: EncodedBatch, file: string): SpooledBatch {
  try {
    return { id, writer, tried, items, messages: decodeMessages(content) }
  } catch (error) {
    throw new SpoolFailedError(contentUnknown(file, id, error), { cause: error })
  }
}
