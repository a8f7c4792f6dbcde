import type { Duplex } from 'node:stream'

/** What a held message costs beside its payload: packet, arrival and callbacks, measured at about 0.5 kB. */
const HELD_MESSAGE_OVERHEAD_BYTES = 512

/**
 * Counts the messages that wait for their commit, and stops reading sockets while they are too many: the pressure
 * goes back to the hubs through TCP instead of into the heap. Waiting connections are read again in turn.
 */
export class HeldBytes {
  readonly #bytesMax: number
  readonly #onHeld: () => void
  readonly #waiting = new Set<Duplex>()
  #bytes = 0
  #waking = false

  constructor(options: { bytesMax: number; onHeld: () => void }) {
    this.#bytesMax = options.bytesMax
    this.#onHeld = options.onHeld
  }

  get bytes(): number {
    return this.#bytes
  }

  add(payload: Buffer): void {
    this.#bytes += payload.length + HELD_MESSAGE_OVERHEAD_BYTES
  }

  remove(payload: Buffer): void {
    this.#bytes -= payload.length + HELD_MESSAGE_OVERHEAD_BYTES
    if (this.#waiting.size > 0 && !this.#waking) this.#wake()
  }

  /** Whether `connection` may be read now; if not, it gets a 'readable' event when it may. */
  mayRead(connection: Duplex): boolean {
    if (this.#bytes < this.#bytesMax) return true
    if (!this.#waiting.has(connection)) this.#onHeld()
    this.#waiting.add(connection)
    return false
  }

  forget(connection: Duplex): void {
    this.#waiting.delete(connection)
  }

  #wake(): void {
    this.#waking = true
    // Reading one connection adds its messages at once, so the limit is looked at again before the next.
    for (const connection of this.#waiting) {
      if (this.#bytes >= this.#bytesMax) break
      this.#waiting.delete(connection)
      connection.emit('readable')
    }
    this.#waking = false
  }
}
