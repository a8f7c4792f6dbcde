const PUBLISH = 3
const QOS_BITS = 0b0110
const PACKET_ID_BYTES = 2
const NOTHING = Buffer.alloc(0)

/** Who is told of the packets of a client. */
export interface PublishSink {
  /** A PUBLISH with QoS 1 or 2 has begun. */
  onPublish(packetIdHigh: number, packetIdLow: number): void
  /** Any other packet has begun; by its type, the upper half of its first byte. */
  onOther(type: number): void
}

/**
 * Follows MQTT packets in a byte stream and looks at nothing but fixed header, length and packet id. It trusts the
 * client: nothing is checked or limited.
 */
export class PublishScanner {
  readonly #sink: PublishSink
  #toSkip = 0
  /** The beginning of a packet that is cut before its packet id. */
  #begun: Buffer = NOTHING

  constructor(sink: PublishSink) {
    this.#sink = sink
  }

  scan(bytes: Buffer): void {
    const chunk = this.#begun.length > 0 ? Buffer.concat([this.#begun, bytes]) : bytes
    this.#begun = NOTHING
    let at = Math.min(this.#toSkip, chunk.length)
    this.#toSkip -= at
    while (at < chunk.length) {
      const end = this.#packet(chunk, at)
      if (end < 0) {
        this.#begun = Buffer.from(chunk.subarray(at))
        return
      }
      this.#toSkip = Math.max(end - chunk.length, 0)
      at = end
    }
  }

  /** Returns where the packet ends, also beyond the chunk; -1 when too little of it is here. */
  #packet(chunk: Buffer, from: number): number {
    const first = chunk[from] ?? 0
    let length = 0
    let at = from + 1
    for (let shift = 0; ; shift += 7) {
      const byte = chunk[at++]
      if (byte === undefined) return -1
      length |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    if (first >> 4 !== PUBLISH) this.#sink.onOther(first >> 4)
    else if ((first & QOS_BITS) !== 0) {
      if (at + 2 > chunk.length) return -1
      const idAt = at + 2 + (((chunk[at] ?? 0) << 8) | (chunk[at + 1] ?? 0))
      if (idAt + PACKET_ID_BYTES > chunk.length) return -1
      this.#sink.onPublish(chunk[idAt] ?? 0, chunk[idAt + 1] ?? 0)
    }
    return at + length
  }
}
