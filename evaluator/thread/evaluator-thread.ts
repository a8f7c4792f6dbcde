import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { Logger } from 'pino'
import { Counter, type Registry } from 'prom-client'
import type { CommitListener } from '../../ingest/committed.ts'
import { within } from '../../ingest/within.ts'
import { THREAD_ARGUMENTS } from '../../thread-arguments.ts'
import { BatchPacker } from '../packed-batch.ts'
import { OVERRUN } from '../rest.ts'
import { AheadBatches } from './ahead.ts'
import { HangWatch } from './hang-watch.ts'
import type { FromThread, MetricSaid, ThreadData, ThreadSettings, ToThread } from './messages.ts'
import { relayLine } from './relayed-log.ts'
import { SharedNumbers } from './shared-numbers.ts'
import { registerThreadMetrics } from './thread-metrics.ts'

export interface EvaluatorThreadOptions {
  url: string
  log: Logger
  metrics: Registry
  settings: ThreadSettings
  /** Rows of a batch behind which more waits. */
  fullBatchRows: number
  /** Told when messages to operators wait to be published. */
  onTold: () => void
  /** `openThread`. */
  open?: (data: ThreadData) => Worker
  /** A thread that has not beaten for so long is ended. */
  hungAfterMs?: number
  /** The same of one that has not loaded by then. */
  loadMsMax?: number
}

const ENDED = "nothing is evaluated: the evaluator's thread has ended, and is started again"

/** How often it is looked whether what was to come before a batch has. */
const AHEAD_POLL_MS = 10
/** How often the thread is told how busy this one is, and looked at. */
const LOOK_MS = 500
/** Longer than any step of its work takes, also where others leave it little of the processor. */
const HUNG_AFTER_MS = 60_000
/** Many times as long as it takes to load beside 20 processes that compute on two cores. */
const LOAD_MS_MAX = 300_000
/** After so long it is started again. */
const RESTART_MS = 1_000
/** A thread that computes answers late. */
const METRICS_MS = 1_000
/** The evaluator itself stops within less. */
const STOP_MS = 8_000

/**
 * The evaluator in a thread of its own, as ingest and the service see it. What cannot be handed to it is in the ledger, so nothing
 * is lost when it dies; then it is started again. One that computes without an end is ended.
 */
export class EvaluatorThread {
  readonly #options: EvaluatorThreadOptions
  readonly #packer = new BatchPacker()
  readonly #holder = randomUUID()
  readonly #ahead = new AheadBatches()
  readonly #pendingMetrics = new Map<number, (metrics: readonly MetricSaid[] | undefined) => void>()
  #calls = 0
  #worker: Worker | undefined
  #shared = new SharedNumbers()
  #watch: HangWatch | undefined
  readonly #ends: Counter
  #aheadTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #busyBefore = performance.eventLoopUtilization()
  #restartTimer: NodeJS.Timeout | undefined
  /** The highest id that was not handed over, because there was no thread, or no room on the way to it: it is told of it. */
  #leftId = 0n
  #notices: string[] = []
  #batches = 0
  #fullBatches = 0
  #isStarted = false
  #isStopping = false

  constructor(options: EvaluatorThreadOptions) {
    this.#options = options
    registerThreadMetrics(options.metrics, () => this.#askMetrics())
    this.#ends = new Counter({
      name: 'frostguard_evaluator_thread_ends_total',
      help: "Times that the evaluator's thread has died, or was ended because it computed without an end",
      registers: [options.metrics],
    })
    // It takes a while to load: it does so while the service starts.
    this.#openThread()
  }

  /** For ingest: hands a committed batch over. */
  readonly committed: CommitListener = (batch, landedId) => {
    // Nor is there anything to judge in one without rows.
    const rows = batch ? batch.readings.length + batch.doors.length : 0
    this.#batches += rows > 0 ? 1 : 0
    this.#fullBatches += rows >= this.#options.fullBatchRows ? 1 : 0
    if (!this.#hasRoom(rows)) {
      if (batch && rows > 0 && batch.id > this.#leftId) this.#leftId = batch.id
      return
    }
    this.#shared.addInTransit(1 + rows)
    if (!batch || rows === 0) {
      this.#post({ kind: 'landed', landedId, arrived: this.#ahead.takeArrived() })
      return
    }
    this.#postLeft()
    const { id, isAhead } = batch
    const packed = this.#packer.pack(batch)
    const message: ToThread = {
      kind: 'batch',
      batch: packed,
      landedId,
      arrived: this.#ahead.takeArrived(),
      committedAtMs: performance.timeOrigin + performance.now(),
      isAhead: isAhead !== undefined,
    }
    this.#post(message, [packed.readings.ints.buffer, packed.readings.times.buffer])
    if (isAhead) this.#noteAhead(id, isAhead)
  }

  /** Begins in the background. The database must have been migrated. */
  start(): void {
    this.#isStarted = true
    this.#lookTimer ??= setInterval(() => this.#look(), LOOK_MS).unref()
    this.#postLeft()
    this.#post({ kind: 'start' })
  }

  #hasRoom(rows: number): boolean {
    if (!this.#worker || !this.#isStarted) return false
    return this.#shared.inTransit + rows <= this.#options.settings.EVALUATOR_HANDED_ROWS_MAX
  }

  #postLeft(): void {
    if (this.#leftId > 0n) this.#post({ kind: 'left', id: this.#leftId, landedId: 0n })
    this.#leftId = 0n
  }

  #openThread(): void {
    this.#notices = []
    const { url, settings, hungAfterMs = HUNG_AFTER_MS, loadMsMax = LOAD_MS_MAX } = this.#options
    this.#shared = new SharedNumbers()
    this.#watch = new HangWatch({ lookMs: LOOK_MS, hungAfterMs, loadMsMax })
    const open = this.#options.open ?? openThread
    const worker = open({ url, settings, holder: this.#holder, words: this.#shared.words })
    worker.on('message', (message: FromThread) => this.#heard(worker, message))
    worker.on('error', (error: unknown) => this.#ended(worker, error))
    worker.on('exit', () => this.#ended(worker))
    this.#worker = worker
  }

  /** What an operator is told: that it does not evaluate, or units that cannot be evaluated. */
  notices(): readonly string[] {
    return [...(this.#watch?.notices() ?? []), ...this.#notices]
  }

  /** What is under way is stored. Ends within a few seconds, also while the database hangs. */
  async stop(): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#restartTimer)
    clearInterval(this.#aheadTimer)
    clearInterval(this.#lookTimer)
    const worker = this.#worker
    if (!worker) return
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    this.#post({ kind: 'stop' })
    await within(STOP_MS, exited)
    await worker.terminate()
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer)
  }

  #heard(worker: Worker, message: FromThread): void {
    if (message.kind === 'log') relayLine(this.#options.log, message.line)
    else if (message.kind === 'told') this.#options.onTold()
    // What a thread has said before it ended is not so any more.
    else if (worker !== this.#worker) return
    else if (message.kind === 'notices') this.#notices = message.notices
    else this.#answered(message.call, message.metrics)
  }

  #look(): void {
    this.#noteBusy()
    if (!this.#worker || !this.#watch?.look(this.#shared.beats)) return
    this.#options.log.error("the evaluator's thread has hung: it computes without an end, and is ended")
    void this.#worker.terminate()
  }

  #noteBusy(): void {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#busyBefore)
    this.#shared.utilization = this.#fullBatches * 2 > this.#batches ? OVERRUN : utilization
    this.#busyBefore = now
    this.#batches = 0
    this.#fullBatches = 0
  }

  #noteAhead(id: bigint, isAhead: () => boolean): void {
    this.#ahead.add(id, isAhead)
    this.#aheadTimer ??= setInterval(() => {
      const arrived = this.#ahead.takeArrived()
      if (arrived.length > 0) {
        this.#shared.addInTransit(1)
        this.#post({ kind: 'landed', landedId: 0n, arrived })
      }
      if (this.#ahead.size > 0) return
      clearInterval(this.#aheadTimer)
      this.#aheadTimer = undefined
    }, AHEAD_POLL_MS)
  }

  #askMetrics(): Promise<readonly MetricSaid[] | undefined> {
    if (!this.#worker) return Promise.resolve(undefined)
    this.#calls += 1
    const call = this.#calls
    return new Promise((resolve) => {
      this.#pendingMetrics.set(call, resolve)
      setTimeout(() => this.#answered(call, undefined), METRICS_MS).unref()
      this.#post({ kind: 'metrics', call })
    })
  }

  #answered(call: number, metrics: readonly MetricSaid[] | undefined): void {
    this.#pendingMetrics.get(call)?.(metrics)
    this.#pendingMetrics.delete(call)
  }

  #ended(worker: Worker, error?: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#ahead.clear()
    this.#notices = []
    for (const call of this.#pendingMetrics.keys()) this.#answered(call, undefined)
    if (this.#isStopping) return
    this.#ends.inc()
    this.#watch = undefined
    this.#notices = [ENDED]
    this.#options.log.error({ err: error }, "the evaluator's thread has ended: it is started again")
    this.#restartTimer = setTimeout(() => {
      this.#openThread()
      if (this.#isStarted) this.start()
    }, RESTART_MS)
  }
}

const WORKER = new URL('./evaluator-worker.ts', import.meta.url)

/** Opens the thread. */
export function openThread(workerData: ThreadData, script = WORKER): Worker {
  return new Worker(script, {
    name: 'evaluator',
    workerData,
    execArgv: THREAD_ARGUMENTS,
  })
}
