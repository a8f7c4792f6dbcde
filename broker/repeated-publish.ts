/** A PUBLISH with QoS 1 as the intake takes it. */
export interface RepeatedPacket {
  topic: string
  payload: Buffer
  qos: 1
  dup: boolean
  retain: boolean
  messageId: number
  /** The remaining length. */
  length: number
}

/** Where a PUBLISH stands in a chunk. */
interface Found {
  header: number
  bodyFrom: number
  end: number
  packetId: number
}

const PUBLISH_TYPE = 3
const QOS_1 = 1
const RETAIN_BIT = 0b0001
const DUP_BIT = 0b1000
const PACKET_ID_BYTES = 2
/** Enough for two megabytes. */
const LENGTH_BYTES_MAX = 3
/** A payload may keep so much memory alive beside its own, or this many times its own. */
const KEPT_ALIVE_BYTES_MAX = 4_096
const KEPT_ALIVE_TIMES_MAX = 16

/**
 * Knows the topic of the last PUBLISH of a connection, and reads the next one to it past the parser: what hubs send
 * all day. It must stand whole in a chunk. Everything else (another topic, another QoS, a packet id of 0, a frame that
 * goes on in the next chunk) is for the parser to read or refuse.
 */
export class RepeatedPublish {
  #topic = ''
  /** As it stands in a packet, with its length; empty until there was one. */
  #topicBytes: Buffer = Buffer.alloc(0)

  /** The topic is one of this client's. */
  remember(topic: string): void {
    const bytes = Buffer.from(topic)
    this.#topicBytes = Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
    this.#topic = topic
  }

  /** The PUBLISH that begins at `at`; undefined when it is for the parser. */
  find(chunk: Buffer, at: number): Found | undefined {
    const header = chunk[at] ?? 0
    if (header >> 4 !== PUBLISH_TYPE || ((header >> 1) & 0b11) !== QOS_1) return undefined
    const topicBytes = this.#topicBytes
    if (topicBytes.length === 0) return undefined
    let remaining = 0
    let bodyFrom = at + 1
    for (let scale = 1; ; scale *= 128) {
      if (bodyFrom - at > LENGTH_BYTES_MAX) return undefined
      const byte = chunk[bodyFrom++]
      if (byte === undefined) return undefined
      remaining += (byte & 0x7f) * scale
      if (byte < 128) break
    }
    const end = bodyFrom + remaining
    const payloadFrom = bodyFrom + topicBytes.length + PACKET_ID_BYTES
    if (end > chunk.length || payloadFrom > end) return undefined
    for (let index = 0; index < topicBytes.length; index++) {
      if (chunk[bodyFrom + index] !== topicBytes[index]) return undefined
    }
    const packetId = ((chunk[payloadFrom - 2] ?? 0) << 8) | (chunk[payloadFrom - 1] ?? 0)
    return packetId === 0 ? undefined : { header, bodyFrom, end, packetId }
  }

  /** What `find` has found. */
  read(chunk: Buffer, { header, bodyFrom, end, packetId }: Found): RepeatedPacket {
    return {
      topic: this.#topic,
      payload: detached(chunk.subarray(bodyFrom + this.#topicBytes.length + PACKET_ID_BYTES, end)),
      qos: QOS_1,
      dup: (header & DUP_BIT) !== 0,
      retain: (header & RETAIN_BIT) !== 0,
      messageId: packetId,
      length: end - bodyFrom,
    }
  }
}

/**
 * A payload that is held keeps all of the memory alive that it was read into, of which its own bytes alone are counted:
 * where that is much more, it is copied.
 */
function detached(payload: Buffer): Buffer {
  const memoryBytes = payload.buffer.byteLength
  const mayStay = memoryBytes <= KEPT_ALIVE_BYTES_MAX || memoryBytes <= payload.length * KEPT_ALIVE_TIMES_MAX
  return mayStay ? payload : Buffer.from(payload)
}
