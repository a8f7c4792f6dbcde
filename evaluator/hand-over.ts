import type { CommittedBatch } from '../ingest/committed.ts'

/** A committed batch with the time at which it was handed over, by `performance.now()`. */
export interface HandedBatch extends CommittedBatch {
  committedAtMs: number
}

/**
 * Committed batches on their way from ingest to the evaluator, in memory. It is ahead of the ledger, never instead of it: what
 * finds no room here is read from there.
 *
 * Closed at first and while the evaluator reads what it has missed; `open` when it has caught up.
 */
export class HandOver {
  readonly #rowsMax: number
  #batches: HandedBatch[] = []
  #rows = 0
  #isOpen = false
  #isNews = false
  #wake: (() => void) | undefined
  /** Batches that were left to the ledger. */
  dropped = 0

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
  }

  /** Takes note of a committed batch; undefined: one that must be read from the ledger. Cheap, and never throws. */
  offer(batch: CommittedBatch | undefined): void {
    const rows = batch ? batch.readings.length + batch.doors.length : 0
    if (batch !== undefined && this.#isOpen && this.#rows + rows <= this.#rowsMax) {
      this.#batches.push({ ...batch, committedAtMs: performance.now() })
      this.#rows += rows
    } else if (batch !== undefined) {
      this.dropped += 1
    }
    this.#isNews = true
    this.#wake?.()
  }

  open(): void {
    this.#isOpen = true
  }

  /** Forgets what is in it. */
  close(): void {
    this.#isOpen = false
    this.dropped += this.#batches.length
    this.#batches = []
    this.#rows = 0
  }

  /** All that has been handed over since the last call. */
  take(): HandedBatch[] {
    const batches = this.#batches
    this.#batches = []
    this.#rows = 0
    return batches
  }

  /** Resolves when something has been offered since the last call, or after a while, or when the signal is aborted. */
  async news(waitMs: number, signal: AbortSignal): Promise<void> {
    if (!this.#isNews && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
        signal.addEventListener('abort', this.#wake, { once: true })
      })
      if (this.#wake) signal.removeEventListener('abort', this.#wake)
      this.#wake = undefined
    }
    this.#isNews = false
  }
}
