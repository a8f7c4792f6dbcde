import { createBatchIds } from '../db/batches/batch-id.ts'

/** A batch as the ledger knows it. */
export interface BatchName {
  id: bigint
  /** UUID of the process that gave the id. */
  writer: string
}

/**
 * Gives out batch ids and knows which are not settled yet: the receipts' watermark follows from it. An id is settled
 * when its batch is committed, or will never be.
 */
export class BatchIds {
  readonly writer: string
  readonly #next: () => bigint
  readonly #open = new Set<bigint>()
  #newest = 0n

  constructor(writer: string) {
    this.writer = writer
    this.#next = createBatchIds({ now: Date.now, process: Math.floor(Math.random() * 4096) })
  }

  open(): BatchName {
    const id = this.#next()
    this.#newest = id
    this.#open.add(id)
    return { id, writer: this.writer }
  }

  settle({ id }: BatchName): void {
    this.#open.delete(id)
  }

  /** The newest id such that it and all before it are settled. */
  settledId(): bigint {
    let oldest: bigint | undefined
    for (const id of this.#open) if (oldest === undefined || id < oldest) oldest = id
    return oldest === undefined ? this.#newest : oldest - 1n
  }
}
