/** After so long what has failed is tried again. */
const RETRY_MS = 60_000
/** Rest after something has taken too long: at first so long, then, while nothing succeeds, twice as long each time. */
const REST_FIRST_MS = 2_000

/**
 * When things are tried that may fail, or take so long that all else waits for them: one that takes too long puts all others off.
 * What has never failed is tried first, then what has waited longest, so that nobody waits behind another one for ever.
 */
export class Tries<Thing extends WeakKey> {
  /** By `performance.now()`, as all times here. */
  readonly #failedAtMs = new WeakMap<Thing, number>()
  #restMs = 0
  #untriedNotBeforeMs = 0
  #failedNotBeforeMs = 0

  isDue(thing: Thing): boolean {
    const nowMs = performance.now()
    const failedAtMs = this.#failedAtMs.get(thing)
    if (failedAtMs === undefined) return nowMs >= this.#untriedNotBeforeMs
    return nowMs >= Math.max(failedAtMs + RETRY_MS, this.#failedNotBeforeMs)
  }

  hasFailed(thing: Thing): boolean {
    return this.#failedAtMs.has(thing)
  }

  /** In the order in which their things are to be tried. */
  inOrder<Holder>(holders: readonly Holder[], thingsOf: (holder: Holder) => readonly Thing[]): Holder[] {
    const keyed = holders.map((holder) => ({ holder, failedAtMs: this.#lastFailedMs(thingsOf(holder)) }))
    return keyed.sort((a, b) => a.failedAtMs - b.failedAtMs).map(({ holder }) => holder)
  }

  /** The first in that order of which something is due. */
  next<Holder>(
    holders: Iterable<Holder>,
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Holder | undefined {
    let next: Holder | undefined
    let nextFailedMs = Infinity
    for (const holder of holders) {
      const things = thingsOf(holder)
      if (!things.some((thing) => this.isDue(thing))) continue
      const failedAtMs = this.#lastFailedMs(things)
      if (failedAtMs === 0) return holder
      if (failedAtMs >= nextFailedMs) continue
      next = holder
      nextFailedMs = failedAtMs
    }
    return next
  }

  /** 0: none of them has. */
  #lastFailedMs(things: readonly Thing[]): number {
    return things.reduce((last, thing) => Math.max(last, this.#failedAtMs.get(thing) ?? 0), 0)
  }

  succeeded(thing: Thing): void {
    this.#failedAtMs.delete(thing)
    this.#restMs = 0
  }

  failed(thing: Thing, { isTimeout }: { isTimeout: boolean }): void {
    const nowMs = performance.now()
    this.#failedAtMs.set(thing, nowMs)
    if (!isTimeout) return
    this.#restMs = Math.min(Math.max(this.#restMs * 2, REST_FIRST_MS), RETRY_MS)
    this.#untriedNotBeforeMs = nowMs + this.#restMs
    this.#failedNotBeforeMs = nowMs + RETRY_MS
  }
}
