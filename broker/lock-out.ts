import { LeakyBuckets } from './leaky-buckets.ts'

export interface LockOutOptions {
  /** Wrong log-ins per minute of one username from one address. */
  failuresPerMinute: number
  /** Wrong log-ins per minute from one address, whatever the usernames. */
  addressFailuresPerMinute: number
}

/** Who tries to log in, and from where: the key of its address. */
export interface Attempt {
  username: string
  address: string
}

const KEYS_MAX = 100_000
const MINUTE_SECONDS = 60

/**
 * Counts wrong log-ins, and says which attempts must not cost a check of their secret any more. A lock-out is not for
 * a time: the counts fade, so that the right secret comes in soon after the wrong ones have stopped, and a hub with an
 * old secret behind an address of many does not lock the others out. Pure: time is passed in.
 */
export class LockOut {
  readonly #byUser: LeakyBuckets
  readonly #byAddress: LeakyBuckets

  constructor({ failuresPerMinute, addressFailuresPerMinute }: LockOutOptions) {
    this.#byUser = perMinute(failuresPerMinute)
    this.#byAddress = perMinute(addressFailuresPerMinute)
  }

  /** Whether the secret may be checked; then the attempt counts as wrong until it is settled, so that many at once are no way round. */
  begin(attempt: Attempt, nowMs: number): boolean {
    return !this.#byAddress.isFull(attempt.address, nowMs) && this.#byUser.pour(keyOf(attempt), nowMs)
  }

  /** What came of an attempt that was begun. */
  settle(attempt: Attempt, outcome: 'right' | 'wrong' | 'undecided', nowMs: number): void {
    if (outcome === 'wrong') this.#byAddress.add(attempt.address, nowMs)
    else if (outcome === 'right') this.#byUser.empty(keyOf(attempt))
    else this.#byUser.takeBack(keyOf(attempt), nowMs)
  }

  /** How many pairs of username and address, and how many addresses, are locked out. */
  lockedOut(nowMs: number): number {
    return this.#byUser.full(nowMs).length + this.#byAddress.full(nowMs).length
  }
}

function perMinute(count: number): LeakyBuckets {
  return new LeakyBuckets({ capacity: count, leakPerSecond: count / MINUTE_SECONDS, keysMax: KEYS_MAX })
}

function keyOf({ username, address }: Attempt): string {
  return `${address} ${username}`
}
