/** A first-in, first-out queue; every operation costs constant time on average. */
export class Fifo<T> {
  #items: T[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  first(): T | undefined {
    return this.#items[this.#head]
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#head++
    // The used half goes when it is the larger one, so that a queue that is never empty does not grow for ever.
    if (this.#head * 2 >= this.#items.length) this.#compact()
    return item
  }

  #compact(): void {
    this.#items = this.#head === this.#items.length ? [] : this.#items.slice(this.#head)
    this.#head = 0
  }
}
