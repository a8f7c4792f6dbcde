import type { IPublishPacket } from 'mqtt'

/** What a message takes beside its payload and what is made of it: packet, arrival, callbacks. */
const HELD_MESSAGE_BYTES = 2_048
/** What readings take when they are decoded, by their bytes, where ingest does not say. */
const DECODED_BYTES_PER_BYTE = 3

/**
 * Memory of the messages of all sources that wait for their commit. While it is used up no source reads: the pressure
 * goes back to their brokers through TCP. It is passed by one message of each source at most.
 */
export class Budget {
  readonly #bytesMax: number
  readonly #onRoom = new Set<() => void>()
  #bytes = 0
  #asking: NodeJS.Immediate | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get isUsedUp(): boolean {
    return this.#bytes >= this.#bytesMax
  }

  /** Told whenever there is room again. */
  listen(onRoom: () => void): void {
    this.#onRoom.add(onRoom)
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  giveBack(bytes: number): void {
    const wasUsedUp = this.isUsedUp
    this.#bytes -= bytes
    if (wasUsedUp && !this.isUsedUp) this.#asking ??= setImmediate(() => this.#tell())
  }

  #tell(): void {
    this.#asking = undefined
    for (const onRoom of this.#onRoom) onRoom()
  }
}

/** Memory of a message until it is durable. */
export function heldBytes({ topic, payload }: IPublishPacket, decodedBytes?: number): number {
  return (
    HELD_MESSAGE_BYTES +
    topic.length +
    payload.length +
    (decodedBytes ?? payload.length * DECODED_BYTES_PER_BYTE)
  )
}
