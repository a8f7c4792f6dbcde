import type { FrameViolation } from './counters.ts'
import type { RepeatedPacket, RepeatedPublish } from './repeated-publish.ts'

export interface FrameLimits {
  /** The largest remaining length of the first frame, CONNECT. */
  connect_bytes_max: number
  /** The largest payload of a PUBLISH that is passed on whole, and the largest remaining length of any other packet. */
  message_bytes_max: number
  /** The largest payload of a PUBLISH that is read past; above it the connection must end. */
  frame_bytes_max: number
  /** How much of the payload of an oversized PUBLISH is passed on; less than `message_bytes_max`. */
  oversized_kept_bytes: number
}

/** Packets that go past the parser. */
export interface PastParser {
  publishes: RepeatedPublish
  take: (packet: RepeatedPacket) => void
}

export interface Scanned {
  /** What goes on to the parser; empty when all of the chunk was read past or is a part of a fixed header. */
  passed: Buffer
  /** What comes after CONNECT, or from a PUBLISH on that must wait: to be scanned again later. */
  rest: Buffer | undefined
  violation: FrameViolation | undefined
}

type Verdict = 'incomplete' | 'pass' | 'cut' | 'wait' | FrameViolation

const PUBLISH = 3
const QOS_BITS = 0b0110
const TOPIC_LENGTH_BYTES = 2
const PACKET_ID_BYTES = 2
const TOPIC_BYTES_MAX = 65_535
/** Packet type and at most four bytes of remaining length [MQTT-2.2.3]. */
const FIXED_HEADER_BYTES_MAX = 5
const NOTHING = Buffer.alloc(0)

/**
 * Follows the MQTT frames in a byte stream from fixed header to fixed header, however it is cut into chunks, and
 * keeps what is too large away from the parser.
 *
 * Modes: first frame (only CONNECT may come, up to its own limit) → held (`awaitsLogIn`) → logged in, by
 * `logIn` → ended, by a violation. Within a frame: header, then bytes to pass, then bytes to skip.
 */
export class FrameScanner {
  readonly #limits: FrameLimits
  readonly #mayBegin: (frameBytes: number) => boolean
  readonly #pastParser: PastParser | undefined
  #firstFrame = true
  #loggedIn = false
  #ended = false
  /** The header being read, with the topic's length if it is needed: passed on only when complete and judged. */
  readonly #header = new Uint8Array(FIXED_HEADER_BYTES_MAX + TOPIC_LENGTH_BYTES)
  #headerBytes = 0
  #fixedHeaderBytes = 0
  #remainingLength = 0
  #toPass = 0
  #toSkip = 0
  #publishes = 0
  #publishesTaken = 0
  #oversized: { publish: number; bytes: number }[] = []

  /** `mayBegin` is asked for each PUBLISH, by the length it would be passed on with; false keeps it and what follows back. */
  constructor(limits: FrameLimits, mayBegin: (frameBytes: number) => boolean, pastParser?: PastParser) {
    this.#limits = limits
    this.#mayBegin = mayBegin
    this.#pastParser = pastParser
  }

  /** CONNECT has been passed on whole, and nothing more may be until `logIn`. */
  get awaitsLogIn(): boolean {
    return !this.#loggedIn && !this.#firstFrame && this.#toPass === 0
  }

  logIn(): void {
    this.#loggedIn = true
  }

  /**
   * To be asked once for every PUBLISH that comes out of the parser, in order: its full payload in bytes if it was
   * cut, undefined otherwise.
   */
  takeOversizedBytes(): number | undefined {
    this.#publishesTaken++
    if (this.#oversized[0]?.publish !== this.#publishesTaken) return undefined
    return this.#oversized.shift()?.bytes
  }

  /** Scans the next bytes of the stream. Copies nothing unless a frame is cut or a header is split. */
  scan(chunk: Buffer): Scanned {
    const parts: Buffer[] = []
    let runFrom = 0
    let at = 0
    while (at < chunk.length && !this.#ended) {
      if (this.#toPass > 0) {
        at += this.#step('pass', chunk.length - at)
        continue
      }
      if (this.#toSkip > 0) {
        if (at > runFrom) parts.push(chunk.subarray(runFrom, at))
        at += this.#step('skip', chunk.length - at)
        runFrom = at
        continue
      }
      if (this.awaitsLogIn) return scanned(parts, chunk.subarray(runFrom, at), { rest: chunk.subarray(at) })
      // Not behind what goes to the parser: it would be overtaken.
      if (at === runFrom && parts.length === 0) {
        const next = this.#takePastParser(chunk, at)
        if (next === 'wait') return scanned(parts, NOTHING, { rest: chunk.subarray(at) })
        if (next > at) {
          at = next
          runFrom = next
          continue
        }
      }
      const short = this.#passShortFrame(chunk, at)
      if (short === 'pass') {
        at += 2
        continue
      }
      if (short === 'wait') return scanned(parts, chunk.subarray(runFrom, at), { rest: chunk.subarray(at) })
      const headerFrom = at
      const carried = this.#headerBytes
      let verdict: Verdict = 'incomplete'
      while (at < chunk.length && verdict === 'incomplete') verdict = this.#readHeaderByte(chunk[at++] ?? 0)
      if (verdict === 'wait') {
        const rest = this.#unreadHeader(chunk.subarray(headerFrom), carried)
        return scanned(parts, chunk.subarray(runFrom, headerFrom), { rest })
      }
      if (verdict === 'pass') {
        if (carried > 0) parts.push(Buffer.from(this.#header.subarray(0, carried)))
        this.#pass()
        continue
      }
      // Incomplete, cut or refused: what comes before this header goes on, the header itself does not.
      if (headerFrom > runFrom) parts.push(chunk.subarray(runFrom, headerFrom))
      runFrom = at
      if (verdict === 'cut') parts.push(this.#cut())
      else if (verdict !== 'incomplete') {
        this.#ended = true
        return scanned(parts, NOTHING, { violation: verdict })
      }
    }
    return scanned(parts, this.#ended ? NOTHING : chunk.subarray(runFrom, at), {})
  }

  /** Takes the PUBLISH that begins here; returns where the next frame begins, or `at` when it is for the parser. */
  #takePastParser(chunk: Buffer, at: number): number | 'wait' {
    if (!this.#pastParser || this.#headerBytes > 0) return at
    const { publishes, take } = this.#pastParser
    const found = publishes.find(chunk, at)
    if (!found || found.end - found.bodyFrom > this.#limits.message_bytes_max) return at
    if (!this.#mayBegin(found.end - found.bodyFrom)) return 'wait'
    take(publishes.read(chunk, found))
    return found.end
  }

  #step(kind: 'pass' | 'skip', available: number): number {
    const step = Math.min(kind === 'pass' ? this.#toPass : this.#toSkip, available)
    if (kind === 'pass') this.#toPass -= step
    else this.#toSkip -= step
    return step
  }

  /** The common case: a frame with one length byte, both in this chunk, is below every limit. */
  #passShortFrame(chunk: Buffer, at: number): 'pass' | 'wait' | 'not short' {
    const length = chunk[at + 1]
    if (this.#headerBytes > 0 || length === undefined || length > 127) return 'not short'
    if ((chunk[at] ?? 0) >> 4 === PUBLISH) {
      if (!this.#begins(length)) return 'wait'
      this.#publishes++
    }
    this.#firstFrame = false
    this.#toPass = length
    return 'pass'
  }

  /** A PUBLISH before CONNECT goes on, for the parser to end the connection. */
  #begins(frameBytes: number): boolean {
    return this.#firstFrame || this.#mayBegin(frameBytes)
  }

  /** A frame that must wait: its header is forgotten, and comes again with the rest. */
  #unreadHeader(fromHeader: Buffer, carried: number): Buffer {
    const rest = carried > 0 ? Buffer.concat([this.#header.subarray(0, carried), fromHeader]) : fromHeader
    this.#nextHeader()
    return rest
  }

  #readHeaderByte(byte: number): Verdict {
    const index = this.#headerBytes++
    this.#header[index] = byte
    if (index === 0) return 'incomplete'
    if (this.#fixedHeaderBytes === 0) {
      this.#remainingLength += (byte & 0x7f) * 128 ** (index - 1)
      if (byte > 127) return this.#headerBytes === FIXED_HEADER_BYTES_MAX ? 'malformed_length' : 'incomplete'
      this.#fixedHeaderBytes = this.#headerBytes
      return this.#judgeLength()
    }
    if (this.#headerBytes < this.#fixedHeaderBytes + TOPIC_LENGTH_BYTES) return 'incomplete'
    return this.#judgePayload()
  }

  get #isPublish(): boolean {
    return (this.#header[0] ?? 0) >> 4 === PUBLISH
  }

  #judgeLength(): Verdict {
    const { connect_bytes_max, message_bytes_max, frame_bytes_max } = this.#limits
    if (this.#firstFrame && this.#remainingLength > connect_bytes_max) return 'frame_before_log_in'
    if (this.#remainingLength <= message_bytes_max) return this.#passOrWait(this.#remainingLength, 'pass')
    if (!this.#isPublish) return 'packet_too_large'
    const longest = frame_bytes_max + TOPIC_LENGTH_BYTES + TOPIC_BYTES_MAX + PACKET_ID_BYTES
    return this.#remainingLength > longest ? 'message_too_large' : 'incomplete'
  }

  #judgePayload(): Verdict {
    const { message_bytes_max, frame_bytes_max, oversized_kept_bytes } = this.#limits
    const variableHeader = this.#variableHeaderBytes()
    const payload = this.#remainingLength - variableHeader
    if (payload <= message_bytes_max) return this.#passOrWait(this.#remainingLength, 'pass')
    if (payload > frame_bytes_max) return 'message_too_large'
    return this.#passOrWait(variableHeader + oversized_kept_bytes, 'cut')
  }

  #passOrWait(frameBytes: number, verdict: 'pass' | 'cut'): Verdict {
    return this.#isPublish && !this.#begins(frameBytes) ? 'wait' : verdict
  }

  #variableHeaderBytes(): number {
    const high = this.#header[this.#headerBytes - 2] ?? 0
    const low = this.#header[this.#headerBytes - 1] ?? 0
    const packetId = (this.#header[0] ?? 0) & QOS_BITS ? PACKET_ID_BYTES : 0
    return TOPIC_LENGTH_BYTES + high * 256 + low + packetId
  }

  #pass(): void {
    if (this.#isPublish) this.#publishes++
    this.#toPass = this.#remainingLength - (this.#headerBytes - this.#fixedHeaderBytes)
    this.#nextHeader()
  }

  /** The same PUBLISH with the beginning of its payload only: returns its new header. */
  #cut(): Buffer {
    const { oversized_kept_bytes } = this.#limits
    const variableHeader = this.#variableHeaderBytes()
    const payload = this.#remainingLength - variableHeader
    this.#publishes++
    this.#oversized.push({ publish: this.#publishes, bytes: payload })
    this.#toPass = variableHeader - TOPIC_LENGTH_BYTES + oversized_kept_bytes
    this.#toSkip = payload - oversized_kept_bytes
    const header = Buffer.from([
      this.#header[0] ?? 0,
      ...encodeLength(variableHeader + oversized_kept_bytes),
      this.#header[this.#headerBytes - 2] ?? 0,
      this.#header[this.#headerBytes - 1] ?? 0,
    ])
    this.#nextHeader()
    return header
  }

  #nextHeader(): void {
    this.#firstFrame = false
    this.#headerBytes = 0
    this.#fixedHeaderBytes = 0
    this.#remainingLength = 0
  }
}

/** The variable byte encoding of a remaining length [MQTT-2.2.3]. */
function encodeLength(length: number): number[] {
  const bytes: number[] = []
  let left = length
  do {
    const low = left % 128
    left = Math.floor(left / 128)
    bytes.push(left > 0 ? low + 128 : low)
  } while (left > 0)
  return bytes
}

function scanned(parts: Buffer[], run: Buffer, end: { rest?: Buffer; violation?: FrameViolation }): Scanned {
  if (run.length > 0) parts.push(run)
  const first = parts[0] ?? NOTHING
  const passed = parts.length > 1 ? Buffer.concat(parts) : first
  return { passed, rest: end.rest, violation: end.violation }
}
