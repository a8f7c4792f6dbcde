export interface LeakyBucketsOptions {
  /** How much a bucket holds. */
  capacity: number
  /** How much runs out of each bucket in a second. */
  leakPerSecond: number
  /** Buckets remembered; beyond that the one that was filled longest ago is forgotten. */
  keysMax: number
}

interface Bucket {
  level: number
  atMs: number
}

/** How many empty buckets a new one clears away, so that keys which never come back do not stay. */
const CLEARED_AT_ONCE = 2

/**
 * A count for each key that fades with time: so many at once, so many a second in the long run. Pure: time is passed
 * in, as milliseconds of a monotonic clock.
 */
export class LeakyBuckets {
  readonly #options: LeakyBucketsOptions
  /** Filled longest ago first. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: LeakyBucketsOptions) {
    this.#options = options
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#buckets.size
  }

  /** Adds one; false, and nothing is added, when there is no room for it. */
  pour(key: string, nowMs: number): boolean {
    if (this.isFull(key, nowMs)) return false
    this.add(key, nowMs)
    return true
  }

  /** Adds one, above the brim too: what is above it takes its time to run out as well. */
  add(key: string, nowMs: number): void {
    const level = this.#level(key, nowMs) + 1
    this.#buckets.delete(key)
    this.#makeRoom(nowMs)
    this.#buckets.set(key, { level, atMs: nowMs })
  }

  /** Takes back one that was added. */
  takeBack(key: string, nowMs: number): void {
    const bucket = this.#buckets.get(key)
    if (!bucket) return
    bucket.level = Math.max(0, this.#level(key, nowMs) - 1)
    bucket.atMs = nowMs
  }

  empty(key: string): void {
    this.#buckets.delete(key)
  }

  /** Whether there is no room for one more. */
  isFull(key: string, nowMs: number): boolean {
    return this.#level(key, nowMs) + 1 > this.#options.capacity
  }

  /** The keys whose buckets are full. */
  full(nowMs: number): string[] {
    return [...this.#buckets.keys()].filter((key) => this.isFull(key, nowMs))
  }

  #level(key: string, nowMs: number): number {
    const bucket = this.#buckets.get(key)
    if (!bucket) return 0
    return Math.max(0, bucket.level - ((nowMs - bucket.atMs) / 1000) * this.#options.leakPerSecond)
  }

  #makeRoom(nowMs: number): void {
    let cleared = 0
    for (const key of this.#buckets.keys()) {
      const isCrowded = this.#buckets.size >= this.#options.keysMax
      if (!isCrowded && (cleared === CLEARED_AT_ONCE || this.#level(key, nowMs) > 0)) return
      this.#buckets.delete(key)
      cleared++
    }
  }
}
