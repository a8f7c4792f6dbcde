/** Batches that were handed over although older messages of their clients are still on their way to the database. */
export class AheadBatches {
  readonly #byId = new Map<bigint, () => boolean>()

  add(id: bigint, isAhead: () => boolean): void {
    this.#byId.set(id, isAhead)
  }

  get size(): number {
    return this.#byId.size
  }

  /** Those before which nothing is to come any more, once. */
  takeArrived(): bigint[] {
    const arrived: bigint[] = []
    for (const [id, isAhead] of this.#byId) if (!isAhead()) arrived.push(id)
    for (const id of arrived) this.#byId.delete(id)
    return arrived
  }

  clear(): void {
    this.#byId.clear()
  }
}
