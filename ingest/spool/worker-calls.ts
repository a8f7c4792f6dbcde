import type { Worker } from 'node:worker_threads'
import { SpoolFailedError } from './errors.ts'
import type { SpoolAnswer, SpoolCalls, SpoolReport } from './worker-messages.ts'

interface WorkerCallsOptions {
  /** Told with every answer, before its promise settles. */
  onReport: (report: SpoolReport) => void
  /** Told once, when the thread has ended without being asked to; what was asked is rejected with the error. */
  onDied: (error: SpoolFailedError) => void
  /** The sentence for a thread that has died. */
  diedBecause: (why: string) => string
}

interface Pending {
  resolve: (answer: never) => void
  reject: (error: Error) => void
}

/**
 * Questions to the spool's thread and their answers, in order. It is alive, then closing or dead; nothing that happens
 * to the thread is thrown: it comes as a rejection and through `onDied`.
 */
export class WorkerCalls {
  /** Resolves when the thread has opened the file. */
  readonly opened: Promise<void>
  readonly #worker: Worker
  readonly #options: WorkerCallsOptions
  readonly #pending = new Map<number, Pending>()
  readonly #ended = Promise.withResolvers<void>()
  #lastCall = 0
  #died: SpoolFailedError | undefined
  #isClosing = false

  constructor(worker: Worker, options: WorkerCallsOptions) {
    this.#worker = worker
    this.#options = options
    this.opened = this.#expect(0)
    worker.on('message', (answer: SpoolAnswer) => this.#settle(answer))
    worker.on('messageerror', (error) => this.#die(error.message))
    worker.on('error', (error: unknown) => this.#die(error instanceof Error ? error.message : String(error)))
    worker.on('exit', (code) => {
      if (!this.#isClosing || this.#pending.size > 0) this.#die(`it ended with code ${code}`)
      this.#ended.resolve()
    })
  }

  /** Asks the thread. Rejects with a `SpoolFailedError` when it cannot do it, or dies. */
  call<K extends keyof SpoolCalls>(
    kind: K,
    question: SpoolCalls[K]['question'],
    transfer: ArrayBuffer[] = [],
  ): Promise<SpoolCalls[K]['answer']> {
    if (this.#died) return Promise.reject(this.#died)
    this.#lastCall += 1
    const answer = this.#expect<SpoolCalls[K]['answer']>(this.#lastCall)
    this.#worker.postMessage({ call: this.#lastCall, kind, question }, transfer)
    return answer
  }

  /** Resolves when the thread has closed the file and ended, or is dead already. */
  async close(): Promise<void> {
    if (this.#died) return this.#ended.promise
    const closed = this.call('close', null)
    this.#isClosing = true
    // Should it die over that, `onDied` says so.
    await closed.catch(() => undefined)
    await this.#ended.promise
  }

  #expect<T>(call: number): Promise<T> {
    return new Promise<T>((resolve, reject) => this.#pending.set(call, { resolve, reject }))
  }

  #settle(answer: SpoolAnswer): void {
    if (answer.report) this.#options.onReport(answer.report)
    const pending = this.#pending.get(answer.call)
    this.#pending.delete(answer.call)
    // A thread that could not open the file has nothing to do and ends.
    if (!answer.report) this.#isClosing = true
    if ('error' in answer) pending?.reject(new SpoolFailedError(answer.error))
    else pending?.resolve(answer.answer as never)
  }

  #die(why: string): void {
    if (this.#died) return
    this.#died = new SpoolFailedError(this.#options.diedBecause(why))
    for (const { reject } of this.#pending.values()) reject(this.#died)
    this.#pending.clear()
    this.#options.onDied(this.#died)
  }
}
