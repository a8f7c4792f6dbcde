import type { Client } from 'aedes'

/** What Aedes 1.2.0 keeps of a client's reading (lib/client.js); it is pinned, and not in its type definitions. */
interface Reading {
  _parsingBatch: number
  _nextBatch(): void
}

/**
 * Lets a client be read behind its held messages. Aedes reads on only when every packet it has read is done, so the
 * PINGREQs of a client that waits for a commit would wait too, and a healthy hub would be cut off. How much a client
 * may send ahead is bounded by `HeldBytes` instead.
 */
export class ReadAhead {
  readonly #client: Client
  #held = 0

  constructor(client: Client) {
    this.#client = client
  }

  /** A message is held: it no longer counts among those that Aedes waits for. */
  hold(): void {
    this.#held++
    // Not at once: this comes from within the parser, which must not be entered again.
    if (this.#held === 1) queueMicrotask(() => this.#readOn())
  }

  /** It is about to be acknowledged: Aedes will count it as done. */
  release(): void {
    this.#reading._parsingBatch++
  }

  get #reading(): Reading {
    return this.#client as unknown as Reading
  }

  #readOn(): void {
    const held = this.#held
    this.#held = 0
    if (this.#client.closed) return
    // The last one is what `_nextBatch` takes off.
    this.#reading._parsingBatch -= held - 1
    this.#reading._nextBatch()
  }
}
