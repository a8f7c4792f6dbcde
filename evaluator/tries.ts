/** After so long what has failed is tried again. */
const RETRY_MS = 60_000
/** Rest after something has taken too long: at first so long, then, while nothing succeeds, twice as long each time. */
const REST_FIRST_MS = 2_000

/** What has failed lets what is new pass for so long after it is due. */
const BEHIND_MS = 600_000

interface Failure {
  /** By `performance.now()`, as all times here. */
  atMs: number
  isTimeout: boolean
}

interface Place<Holder> {
  holder: Holder
  /** What is new waits from now on, what has failed from `BEHIND_MS` after it was due. */
  waitsSinceMs: number
}

/**
 * When things are tried that may fail, or take so long that all else waits for them: one that takes too long puts all others off.
 * Whoever has waited longest is tried first; what has failed counts as waiting only a while after it is due, so that it comes behind
 * what has not, though not for ever. A holder of several things has the place of the best of them.
 */
export class Tries<Thing extends WeakKey> {
  readonly #failures = new WeakMap<Thing, Failure>()
  /** Of what was put off for want of time, since when. */
  readonly #waitsSinceMs = new WeakMap<WeakKey, number>()
  #restMs = 0
  #untriedNotBeforeMs = 0
  #failedNotBeforeMs = 0
  /** Of what has failed and has let others pass for long enough: those that fail for the first time put it off no more. */
  #behindNotBeforeMs = 0

  isDue(thing: Thing): boolean {
    const nowMs = performance.now()
    const failure = this.#failures.get(thing)
    if (!failure) return nowMs >= this.#untriedNotBeforeMs
    const dueAtMs = failure.atMs + RETRY_MS
    const restsUntilMs = nowMs < dueAtMs + BEHIND_MS ? this.#failedNotBeforeMs : this.#behindNotBeforeMs
    return nowMs >= Math.max(dueAtMs, this.#untriedNotBeforeMs, restsUntilMs)
  }

  hasFailed(thing: Thing): boolean {
    return this.#failures.has(thing)
  }

  /** There was no time for it, or for any of its things. */
  putOff(holder: WeakKey): void {
    if (!this.#waitsSinceMs.has(holder)) this.#waitsSinceMs.set(holder, performance.now())
  }

  /** It, or something of it, was tried: what is left comes behind what waits. */
  served(holder: WeakKey): void {
    this.#waitsSinceMs.delete(holder)
  }

  /** Another one takes its place. */
  holderReplaced(before: WeakKey, after: WeakKey): void {
    const waitsSinceMs = this.#waitsSinceMs.get(before)
    if (waitsSinceMs !== undefined) this.#waitsSinceMs.set(after, waitsSinceMs)
  }

  /** The same of a thing. What failed at once may succeed now, and is tried; what took too long will again. */
  replaced(before: Thing, after: Thing): void {
    this.holderReplaced(before, after)
    const failure = this.#failures.get(before)
    if (failure?.isTimeout) this.#failures.set(after, failure)
  }

  /** In the order in which their things that are due are to be tried. */
  inOrder<Holder extends WeakKey>(
    holders: readonly Holder[],
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Holder[] {
    const nowMs = performance.now()
    return holders
      .map((holder) => this.#placeOf(holder, { things: thingsOf(holder), nowMs }))
      .sort(byPlace)
      .map(({ holder }) => holder)
  }

  /** The first in that order of which something is due. */
  next<Holder extends WeakKey>(
    holders: Iterable<Holder>,
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Holder | undefined {
    const nowMs = performance.now()
    let next: Place<Holder> | undefined
    for (const holder of holders) {
      const place = this.#placeOf(holder, { things: thingsOf(holder), nowMs })
      if (place.waitsSinceMs < (next?.waitsSinceMs ?? Infinity)) next = place
    }
    return next?.holder
  }

  #placeOf<Holder extends WeakKey>(
    holder: Holder,
    { things, nowMs }: { things: readonly Thing[]; nowMs: number },
  ): Place<Holder> {
    const freshSinceMs = this.#waitsSinceMs.get(holder) ?? nowMs
    let waitsSinceMs = Infinity
    for (const thing of things) {
      if (!this.isDue(thing)) continue
      const failure = this.#failures.get(thing)
      const sinceMs = failure ? failure.atMs + RETRY_MS + BEHIND_MS : freshSinceMs
      waitsSinceMs = Math.min(waitsSinceMs, sinceMs)
    }
    return { holder, waitsSinceMs }
  }

  succeeded(thing: Thing): void {
    this.served(thing)
    this.#failures.delete(thing)
    this.#restMs = 0
  }

  failed(thing: Thing, { isTimeout }: { isTimeout: boolean }): void {
    const nowMs = performance.now()
    const hasFailedBefore = this.hasFailed(thing)
    this.served(thing)
    this.#failures.set(thing, { atMs: nowMs, isTimeout })
    if (!isTimeout) return
    this.#restMs = Math.min(Math.max(this.#restMs * 2, REST_FIRST_MS), RETRY_MS)
    this.#untriedNotBeforeMs = nowMs + this.#restMs
    this.#failedNotBeforeMs = nowMs + RETRY_MS
    // What is new has its turn before: it comes behind one that has waited for so long.
    if (hasFailedBefore) this.#behindNotBeforeMs = this.#untriedNotBeforeMs + RETRY_MS
  }
}

function byPlace(a: Place<unknown>, b: Place<unknown>): number {
  // Of two of which nothing is due, both wait for ever.
  return a.waitsSinceMs === b.waitsSinceMs ? 0 : a.waitsSinceMs - b.waitsSinceMs
}
