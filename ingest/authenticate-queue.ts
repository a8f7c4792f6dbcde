import PQueue from 'p-queue'

export interface VerificationQueueOptions {
  atOnce: number
  waitingMax: number
}

/**
 * Runs costly verifications, a few at once. Who waits least is next: a flood from one address waits behind itself, and
 * the first log-in of any other address goes ahead of it.
 */
export class VerificationQueue {
  readonly #queue: PQueue
  readonly #waitingMax: number
  readonly #byAddress = new Map<string, number>()

  constructor({ atOnce, waitingMax }: VerificationQueueOptions) {
    this.#queue = new PQueue({ concurrency: atOnce })
    this.#waitingMax = waitingMax
  }

  /** Undefined when too many wait already. */
  async run(address: string, verify: () => Promise<boolean>): Promise<boolean | undefined> {
    if (this.#queue.size >= this.#waitingMax) return undefined
    const before = this.#byAddress.get(address) ?? 0
    this.#byAddress.set(address, before + 1)
    try {
      return await this.#queue.add(verify, { priority: -before })
    } finally {
      this.#leave(address)
    }
  }

  #leave(address: string): void {
    const left = (this.#byAddress.get(address) ?? 0) - 1
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }
}
