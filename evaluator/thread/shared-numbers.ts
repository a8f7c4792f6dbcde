const PARTS = 1_000
const WORDS = 3

/** What both sides see at any moment. */
export class SharedNumbers {
  readonly words: Int32Array<SharedArrayBuffer>

  /** In the thread: of the words that it was given. */
  constructor(words = new Int32Array(new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT))) {
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

  /** How often the thread has shown that it goes on; it begins anew at some time. */
  get beats(): number {
    return Atomics.load(this.words, 2)
  }

  beat(): void {
    Atomics.add(this.words, 2, 1)
  }
}
