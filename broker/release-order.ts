/** What waits for its release, and what waits behind it. */
export interface Held<T> {
  isFinished: boolean
  error: Error | undefined
  next: T | undefined
}

/**
 * Releases the acknowledgements of one client in the order in which its messages arrived [MQTT-4.6.0-2],
 * whatever the order in which they become durable. How many it holds is bounded by MQTT_HELD_BYTES_MAX.
 */
export class ReleaseOrder<T extends Held<T>> {
  #first: T | undefined
  #last: T | undefined
  #size = 0
  readonly #release: (held: T) => void
  #releasing = false

  constructor(release: (held: T) => void) {
    this.#release = release
  }

  /** How many are held. */
  get size(): number {
    return this.#size
  }

  hold(held: T): void {
    if (this.#last) this.#last.next = held
    else this.#first = held
    this.#last = held
    this.#size += 1
  }

  /** Marks one as finished and releases all that are finished with none unfinished before them. */
  finish(held: T, error?: Error): void {
    held.isFinished = true
    held.error = error
    // A release can lead to the next arrival and its finish: the outer loop takes that one too, in order.
    if (this.#releasing) return
    this.#releasing = true
    try {
      for (let first = this.#first; first?.isFinished; first = this.#first) {
        this.#first = first.next
        if (first === this.#last) this.#last = undefined
        first.next = undefined
        this.#size -= 1
        this.#release(first)
      }
    } finally {
      this.#releasing = false
    }
  }
}
