const PARTS = 1_000

/** What both sides see at any moment. */
export class SharedNumbers {
  readonly words: Int32Array<SharedArrayBuffer>

  /** In the thread: of the words that it was given. */
  constructor(words = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))) {
    this.words = words
  }

  /** Messages, and rows in them, on their way to the thread. */
  get inTransit(): number {
    return Atomics.load(this.words, 0)
  }

  addInTransit(count: number): void {
    Atomics.add(this.words, 0, count)
  }

  /** Share of the last moments in which the thread of ingest was busy, or `OVERRUN`. */
  get utilization(): number {
    return Atomics.load(this.words, 1) / PARTS
  }

  set utilization(share: number) {
    Atomics.store(this.words, 1, Math.round(share * PARTS))
  }
}
