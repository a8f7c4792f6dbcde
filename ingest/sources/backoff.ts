const FIRST_MS = 500
const MAX_MS = 30_000
/** A connection that has lasted so long was a good one. */
const STEADY_MS = 10_000

/**
 * How long a source waits before it connects again: from half a second to half a minute, twice as long each time. A
 * connection that ends soon after it was made is a failure too: two processes with one client id end each other's, and a
 * message that is not taken comes again with each.
 */
export class Backoff {
  #failures = 0
  #openedAtMs = Number.POSITIVE_INFINITY

  opened(nowMs: number): void {
    this.#openedAtMs = nowMs
  }

  /** The wait after a connection, or an attempt, has ended. The last half of it is drawn, so that several do not come at once. */
  nextMs(nowMs: number, drawn: number): number {
    if (nowMs - this.#openedAtMs >= STEADY_MS) this.#failures = 0
    this.#openedAtMs = Number.POSITIVE_INFINITY
    const full = Math.min(FIRST_MS * 2 ** this.#failures, MAX_MS)
    this.#failures += 1
    return full * (1 + drawn) * 0.5
  }
}
