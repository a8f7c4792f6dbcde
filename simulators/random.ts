const HASH_SEEDS = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344] as const
const UINT32_RANGE = 2 ** 32
/** Rounds after seeding, until streams of similar names have nothing in common (as sfc32's author does). */
const WARM_UP_ROUNDS = 12

/**
 * A seeded stream of random numbers (sfc32). Whatever draws has a stream of its own, named by the seed and what it is
 * for, so that nothing depends on the order in which others draw.
 */
export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number | string, ...names: readonly string[]) {
    // JSON keeps ("a", "bc") and ("ab", "c") apart.
    const text = JSON.stringify([String(seed), ...names])
    this.#a = hash(text, HASH_SEEDS[0])
    this.#b = hash(text, HASH_SEEDS[1])
    this.#c = hash(text, HASH_SEEDS[2])
    this.#counter = hash(text, HASH_SEEDS[3])
    for (let round = 0; round < WARM_UP_ROUNDS; round++) this.next()
  }

  /** At least 0 and less than 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / UINT32_RANGE
  }

  /** At least `min` and less than `max`. */
  uniform(min: number, max: number): number {
    return min + (max - min) * this.next()
  }

  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability
  }

  normal(mean: number, standardDeviation: number): number {
    // Box-Muller; 1 - next() is never 0, whose logarithm is infinite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()))
    return mean + standardDeviation * radius * Math.cos(2 * Math.PI * this.next())
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** One of the list, each as likely. Throws a `RangeError` for an empty list. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('pick() was given an empty list; it needs at least one item.')
    return list[this.integer(0, list.length - 1)] as T
  }
}

/** 32 bits of a text: FNV-1a with the finalizer of MurmurHash3, which spreads a change of one character over all bits. */
function hash(text: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return value ^ (value >>> 16)
}
