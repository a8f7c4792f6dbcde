/** Who is told of the packets of a server. */
export interface AnswerSink {
  onConnack(returnCode: number): void
  onPuback(packetId: number): void
  /** A packet that this client has not asked for; nothing after it is read. */
  onUnexpected(firstByte: number): void
}

const CONNACK = 0x20
const PUBACK = 0x40
const PINGRESP = 0xd0
const LONGEST = 4
/** Bytes of a packet by its first byte, including the two of the fixed header. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [CONNACK, 4],
  [PUBACK, 4],
  [PINGRESP, 2],
])

/** Reads what a server answers to a client that only publishes with QoS 1, however the stream is cut into chunks. */
export class AnswerScanner {
  readonly #sink: AnswerSink
  /** The beginning of a packet whose end has not come. */
  readonly #begun = new Uint8Array(LONGEST)
  #begunBytes = 0
  #ended = false

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** Scans the first `length` bytes of a chunk, which may be written anew afterwards. */
  scan(chunk: Uint8Array, length: number): void {
    let at = this.#begunBytes > 0 ? this.#complete(chunk, length) : 0
    while (at < length && !this.#ended) {
      // The common case, without a look at anything else.
      if (chunk[at] === PUBACK && at + 4 <= length && chunk[at + 1] === 2) {
        this.#sink.onPuback(((chunk[at + 2] ?? 0) << 8) | (chunk[at + 3] ?? 0))
        at += 4
        continue
      }
      const bytes = LENGTHS.get(chunk[at] ?? 0) ?? 1
      const packet = chunk.subarray(at, Math.min(at + bytes, length))
      if (packet.length < bytes) this.#keep(packet)
      else this.#packet(packet)
      at += packet.length
    }
  }

  /** Returns where the next packet begins. */
  #complete(chunk: Uint8Array, length: number): number {
    const bytes = LENGTHS.get(this.#begun[0] ?? 0) ?? 1
    const taken = Math.min(bytes - this.#begunBytes, length)
    this.#keep(chunk.subarray(0, taken))
    if (this.#begunBytes === bytes) {
      this.#begunBytes = 0
      this.#packet(this.#begun.subarray(0, bytes))
    }
    return taken
  }

  #keep(bytes: Uint8Array): void {
    this.#begun.set(bytes, this.#begunBytes)
    this.#begunBytes += bytes.length
  }

  #packet(packet: Uint8Array): void {
    const [type = 0, remaining, third = 0, fourth = 0] = packet
    if (remaining !== packet.length - 2) {
      this.#ended = true
      this.#sink.onUnexpected(type)
    } else if (type === CONNACK) this.#sink.onConnack(fourth)
    else if (type === PUBACK) this.#sink.onPuback((third << 8) | fourth)
  }
}
