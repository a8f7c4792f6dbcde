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
  /** Of the open ones, those that nobody waits for: the database may still commit them. */
  readonly #givenUp = new Set<bigint>()
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
    this.#givenUp.delete(id)
  }

  /** The database has not said in time what has become of it; the spool has it now. */
  giveUp({ id }: BatchName): void {
    if (this.#open.has(id)) this.#givenUp.add(id)
  }

  /** The newest id such that it and all before it are settled. */
  settledId(): bigint {
    return this.#before(() => true)
  }

  /** The newest id such that it and all before it are settled or given up: nothing before it is about to be committed. */
  landedId(): bigint {
    return this.#before((id) => !this.#givenUp.has(id))
  }

  #before(isWaitedFor: (id: bigint) => boolean): bigint {
    let oldest: bigint | undefined
    for (const id of this.#open) if (isWaitedFor(id) && (oldest === undefined || id < oldest)) oldest = id
    return oldest === undefined ? this.#newest : oldest - 1n
  }
}
