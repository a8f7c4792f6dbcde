/** After so long what has failed is tried again. */
const RETRY_MS = 60_000
/** Rest after something has taken too long: at first so long, then, while nothing succeeds, twice as long each time. */
const REST_FIRST_MS = 2_000

interface Place<Holder> {
  holder: Holder
  /** 0: nothing of it that is due has. */
  failedAtMs: number
  waitsSinceMs: number
}

/**
 * When things are tried that may fail, or take so long that all else waits for them: one that takes too long puts all others off.
 * What has never failed is tried first, of that what was put off for want of time, then what has failed; of these what has waited
 * longest, so that nobody waits behind another one for ever.
 */
export class Tries<Thing extends WeakKey> {
  /** By `performance.now()`, as all times here. */
  readonly #failedAtMs = new WeakMap<Thing, number>()
  /** Of what was put off for want of time, since when. */
  readonly #waitsSinceMs = new WeakMap<WeakKey, number>()
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

  /** There was no time for it, or for any of its things. */
  putOff(holder: WeakKey): void {
    if (!this.#waitsSinceMs.has(holder)) this.#waitsSinceMs.set(holder, performance.now())
  }

  /** It, or something of it, was tried: what is left comes behind what waits. */
  served(holder: WeakKey): void {
    this.#waitsSinceMs.delete(holder)
  }

  /** In the order in which their things that are due are to be tried. */
  inOrder<Holder extends WeakKey>(
    holders: readonly Holder[],
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Holder[] {
    return holders
      .map((holder) => this.#placeOf(holder, thingsOf))
      .sort(byPlace)
      .map(({ holder }) => holder)
  }

  /** The first in that order of which something is due. */
  next<Holder extends WeakKey>(
    holders: Iterable<Holder>,
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Holder | undefined {
    let next: Place<Holder> | undefined
    for (const holder of holders) {
      if (!thingsOf(holder).some((thing) => this.isDue(thing))) continue
      const place = this.#placeOf(holder, thingsOf)
      if (!next || byPlace(place, next) < 0) next = place
    }
    return next?.holder
  }

  #placeOf<Holder extends WeakKey>(
    holder: Holder,
    thingsOf: (holder: Holder) => readonly Thing[],
  ): Place<Holder> {
    const failedAtMs = thingsOf(holder).reduce(
      (last, thing) => (this.isDue(thing) ? Math.max(last, this.#failedAtMs.get(thing) ?? 0) : last),
      0,
    )
    return { holder, failedAtMs, waitsSinceMs: this.#waitsSinceMs.get(holder) ?? Number.MAX_VALUE }
  }

  succeeded(thing: Thing): void {
    this.served(thing)
    this.#failedAtMs.delete(thing)
    this.#restMs = 0
  }

  failed(thing: Thing, { isTimeout }: { isTimeout: boolean }): void {
    const nowMs = performance.now()
    this.served(thing)
    this.#failedAtMs.set(thing, nowMs)
    if (!isTimeout) return
    this.#restMs = Math.min(Math.max(this.#restMs * 2, REST_FIRST_MS), RETRY_MS)
    this.#untriedNotBeforeMs = nowMs + this.#restMs
    this.#failedNotBeforeMs = nowMs + RETRY_MS
  }
}

function byPlace(a: Place<unknown>, b: Place<unknown>): number {
  return a.failedAtMs - b.failedAtMs || a.waitsSinceMs - b.waitsSinceMs
}
