const SLOT_BYTES = 4
/** Slots of a generation for each reading that it holds: the fuller it is, the longer the search. */
const SLOTS_PER_KEY_MIN = 2
const EMPTY = 0

/**
 * Remembers device and time of the latest readings, by a 32-bit fingerprint of each, to tell which may be stored
 * already. One that is remembered is always known again; of others it says so only where fingerprints collide. One that
 * is too long ago is forgotten. It is a hint: what it says decides the way into the database, not what is stored.
 *
 * Two generations: the younger one takes readings until it holds half of `readingsMax`, then it is the older one, and
 * what that held is forgotten. So between half and all of `readingsMax` are remembered, in memory that is fixed.
 */
export class RecentReadings {
  readonly #keysMax: number
  #young: Uint32Array
  #old: Uint32Array
  #count = 0

  constructor(readingsMax: number) {
    this.#keysMax = Math.max(1, Math.floor(readingsMax / 2))
    const slots = 2 ** Math.ceil(Math.log2(this.#keysMax * SLOTS_PER_KEY_MIN))
    this.#young = new Uint32Array(slots)
    this.#old = new Uint32Array(slots)
  }

  /** What it takes in memory. */
  get bytes(): number {
    return (this.#young.length + this.#old.length) * SLOT_BYTES
  }

  /** Whether the reading is remembered; it is from now on. */
  add(deviceId: number, recordedAtMs: number): boolean {
    const low = recordedAtMs >>> 0
    const high = (recordedAtMs / 2 ** 32) >>> 0
    const home = mix(mix(mix(deviceId) ^ low) ^ high)
    const fingerprint = mix(mix(mix(low ^ 0x9e3779b9) ^ high) ^ deviceId) || 1
    const slot = find(this.#young, home, fingerprint)
    if (this.#young[slot] === fingerprint) return true
    const known = this.#old[find(this.#old, home, fingerprint)] === fingerprint
    this.#young[slot] = fingerprint
    this.#count += 1
    if (this.#count === this.#keysMax) this.#age()
    return known
  }

  #age(): void {
    const forgotten = this.#old.fill(EMPTY)
    this.#old = this.#young
    this.#young = forgotten
    this.#count = 0
  }
}

/** The slot of a fingerprint, or the empty one where it belongs. A generation is never full. */
function find(slots: Uint32Array, home: number, fingerprint: number): number {
  const mask = slots.length - 1
  let slot = home & mask
  while (slots[slot] !== fingerprint && slots[slot] !== EMPTY) slot = (slot + 1) & mask
  return slot
}

/** Spreads the bits of a 32-bit number over all of it (the finalizer of MurmurHash3). */
function mix(value: number): number {
  let mixed = value | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
