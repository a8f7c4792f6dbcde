import { Fifo } from './fifo.ts'

/** One held acknowledgement. */
export interface Held {
  readonly release: (error?: Error) => void
  finished: boolean
  error: Error | undefined
}

/**
 * Releases the acknowledgements of one client in the order in which its messages arrived [MQTT-4.6.0-2],
 * whatever the order in which they become durable. How many it holds is bounded by MQTT_HELD_BYTES_MAX.
 */
export class ReleaseOrder {
  readonly #held = new Fifo<Held>()
  #releasing = false

  /** How many are held. */
  get size(): number {
    return this.#held.size
  }

  hold(release: (error?: Error) => void): Held {
    const held: Held = { release, finished: false, error: undefined }
    this.#held.push(held)
    return held
  }

  /** Marks one as finished and releases all that are finished with none unfinished before them. */
  finish(held: Held, error?: Error): void {
    held.finished = true
    held.error = error
    // A release can lead to the next arrival and its finish: the outer loop takes that one too, in order.
    if (this.#releasing) return
    this.#releasing = true
    try {
      while (this.#held.first()?.finished) {
        const first = this.#held.shift()
        first?.release(first.error)
      }
    } finally {
      this.#releasing = false
    }
  }
}
