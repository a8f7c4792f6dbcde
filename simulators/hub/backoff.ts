import type { Random } from '../random.ts'

const FIRST_MS = 500
const MAX_MS = 30_000

/** How long to wait before each attempt to connect: twice as long every time, less up to a half by chance. */
export class Backoff {
  readonly #random: Pick<Random, 'uniform'>
  readonly #maxMs: number
  #nextMs = FIRST_MS

  constructor(random: Pick<Random, 'uniform'>, maxMs = MAX_MS) {
    this.#random = random
    this.#maxMs = maxMs
  }

  next(): number {
    const waitMs = this.#nextMs * this.#random.uniform(0.5, 1)
    this.#nextMs = Math.min(this.#maxMs, this.#nextMs * 2)
    return waitMs
  }

  /** After a connection that worked. */
  reset(): void {
    this.#nextMs = FIRST_MS
  }
}
