import type { Client } from 'aedes'

/** What Aedes 1.2.0 has beside its type definitions (lib/client.js): drops a client that takes nothing for its drain timeout. */
interface Drainable {
  waitForDrain(done: () => void): void
}

const PUBACK = 0x40
const REMAINING_LENGTH = 2
const PACKET_BYTES = 4
/** A connection that once had more at a time does not keep the room for them: one after the other, thousands may. */
const KEPT_MAX = 256

/**
 * Writes the PUBACKs of one connection. A batch makes many of its messages durable at once: their PUBACKs go out in one
 * write, where Aedes makes three writes and a callback of each.
 */
export class Acknowledgements {
  readonly #client: Client
  readonly #onDropped: (count: number) => void
  readonly #writeAll = () => this.#write()
  /** Those of before are written over: most connections have few at a time, and there are many connections. */
  #packetIds: number[] = []
  #count = 0

  /** `onDropped` is told how many were not written because the client had gone. */
  constructor(client: Client, onDropped: (count: number) => void) {
    this.#client = client
    this.#onDropped = onDropped
  }

  /** Written when what runs now has ended, with all that are added until then, in order. */
  add(packetId: number): void {
    this.#packetIds[this.#count] = packetId
    this.#count += 1
    if (this.#count === 1) queueMicrotask(this.#writeAll)
  }

  #write(): void {
    const count = this.#count
    const packetIds = this.#packetIds
    this.#count = 0
    if (count > KEPT_MAX) this.#packetIds = []
    const client = this.#client
    if (client.closed) {
      this.#onDropped(count)
      return
    }
    const isTaken = client.conn.write(encode(packetIds, count))
    if (!isTaken) (client as unknown as Drainable).waitForDrain(() => {})
  }
}

function encode(packetIds: readonly number[], count: number): Buffer {
  const bytes = Buffer.allocUnsafe(count * PACKET_BYTES)
  let at = 0
  for (let index = 0; index < count; index += 1) {
    const packetId = packetIds[index] ?? 0
    bytes[at] = PUBACK
    bytes[at + 1] = REMAINING_LENGTH
    bytes[at + 2] = packetId >> 8
    bytes[at + 3] = packetId
    at += PACKET_BYTES
  }
  return bytes
}
