import type { EncodedBatch } from './worker-messages.ts'

/** What one transaction takes together; a larger append has one of its own. */
export const TRANSACTION_BYTES_MAX = 8 * 1024 * 1024

interface Waiting {
  batches: EncodedBatch[]
  bytes: number
  resolve: (refusal: string | null) => void
  reject: (error: unknown) => void
}

/** Writes appends in one transaction; resolves, for each of them, to why it was refused, or null. */
type Write = (appends: EncodedBatch[][]) => Promise<(string | null)[]>

/**
 * Group commit without a timer: while a transaction is written, the appends that arrive gather for the next one.
 */
export class AppendQueue {
  readonly #write: Write
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined

  constructor(write: Write) {
    this.#write = write
  }

  /** Resolves when the batches are written, to null, or to why they were refused; rejects as the write does. */
  add(batches: EncodedBatch[]): Promise<string | null> {
    const bytes = batches.reduce((sum, { content }) => sum + content.length, 0)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batches, bytes, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /** Resolves when nothing is waiting or being written. */
  async idle(): Promise<void> {
    while (this.#writing) await this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeSome(takeTransaction(this.#waiting))
    this.#writing = undefined
  }

  async #writeSome(appends: Waiting[]): Promise<void> {
    try {
      const refusals = await this.#write(appends.map(({ batches }) => batches))
      for (const [index, { resolve }] of appends.entries()) resolve(refusals[index] ?? null)
    } catch (error) {
      for (const { reject } of appends) reject(error)
    }
  }
}

/** Removes from the front what one transaction takes: at least one append. */
function takeTransaction(waiting: Waiting[]): Waiting[] {
  let bytes = 0
  const fits = waiting.findIndex((append, index) => {
    bytes += append.bytes
    return index > 0 && bytes > TRANSACTION_BYTES_MAX
  })
  return waiting.splice(0, fits === -1 ? waiting.length : fits)
}
