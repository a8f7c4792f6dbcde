/** Lets one log line per key and interval through, so that a client cannot fill the log. Remembers a bounded number of keys. */
export class LogLimit {
  readonly #interval_ms: number
  readonly #keysMax: number
  readonly #last = new Map<string, number>()

  constructor(options: { interval_ms: number; keysMax: number }) {
    this.#interval_ms = options.interval_ms
    this.#keysMax = options.keysMax
  }

  /** Whether a line about `key` may be written at `now_ms` (a monotonic clock). */
  allows(key: string, now_ms: number): boolean {
    const last = this.#last.get(key)
    if (last !== undefined && now_ms - last < this.#interval_ms) return false
    this.#last.delete(key)
    if (this.#last.size >= this.#keysMax) this.#forgetOldest()
    this.#last.set(key, now_ms)
    return true
  }

  #forgetOldest(): void {
    for (const key of this.#last.keys()) {
      this.#last.delete(key)
      return
    }
  }
}
