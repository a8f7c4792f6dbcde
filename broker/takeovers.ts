import { LeakyBuckets } from './leaky-buckets.ts'

export interface TakeoversOptions {
  /** Takeovers of one session that go through at once. */
  perMinuteMax: number
  /** How long each further one waits. */
  delayMs: number
  /** A clock that only goes forward, milliseconds. */
  now: () => number
}

const SESSIONS_MAX = 10_000
const MINUTE_SECONDS = 60

/**
 * Slows down clients that have the same client id and throw each other out: above the limit a takeover waits, so that
 * the connection it ends gets some work done first. One log-in a session waits; a newer one takes its place.
 */
export class Takeovers {
  readonly #options: TakeoversOptions
  readonly #recent: LeakyBuckets
  /** Session → says to the log-in that waits whether it goes on. */
  readonly #waiting = new Map<string, (mayGoOn: boolean) => void>()

  constructor(options: TakeoversOptions) {
    this.#options = options
    const { perMinuteMax } = options
    this.#recent = new LeakyBuckets({
      capacity: perMinuteMax,
      leakPerSecond: perMinuteMax / MINUTE_SECONDS,
      keysMax: SESSIONS_MAX,
    })
  }

  /** Whether a takeover of this session goes through at once; if so, it is counted. */
  isFree(session: string): boolean {
    return !this.#waiting.has(session) && this.#recent.pour(session, this.#options.now())
  }

  /** Waits for the turn of one that is not free. False: a newer log-in has come, and this one is to end. */
  async wait(session: string): Promise<boolean> {
    this.#waiting.get(session)?.(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#waiting.set(session, resolve)
    const timer = setTimeout(resolve, this.#options.delayMs, true).unref()
    const mayGoOn = await promise
    clearTimeout(timer)
    if (this.#waiting.get(session) === resolve) this.#waiting.delete(session)
    return mayGoOn
  }
}
