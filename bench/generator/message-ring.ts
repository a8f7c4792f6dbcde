import { generate } from 'mqtt-packet'
import { euiOf, type LoadPlan, measuredBy, messagesPerTurn, plannedMessage } from './plan.ts'

const AT_DIGITS = 13
const AT_MARK = '0'.repeat(AT_DIGITS)
const LOW_DIGITS = 6
const LOW = 10 ** LOW_DIGITS
const ZERO = '0'.charCodeAt(0)

/** The ring keeps every in-flight message, and packet ids have two bytes. */
export const SLOTS_MAX = 65_535

/**
 * The PUBLISH packets of one connection, encoded once: slot s has packet id s + 1, and its devices never change, so
 * that only the digits of `at` are written anew. A slot must be free (acknowledged) when its next message is taken.
 */
export class MessageRing {
  readonly slots: number
  readonly #plan: LoadPlan
  readonly #connection: number
  readonly #bytes: Buffer
  readonly #packetBytes: number
  /** Where the digits of each reading's `at` begin, from the beginning of a packet. */
  readonly #atOffsets: Uint32Array
  readonly #digits = new Uint8Array(AT_DIGITS)
  #next = 0

  /** `inFlightMax` messages, rounded up to whole turns through the connection's devices. */
  constructor(options: { plan: LoadPlan; connection: number; topic: string; inFlightMax: number }) {
    const { plan, connection, topic, inFlightMax } = options
    const perTurn = messagesPerTurn(plan)
    this.#plan = plan
    this.#connection = connection
    this.slots = Math.ceil(inFlightMax / perTurn) * perTurn
    const packets = Array.from({ length: this.slots }, (_, slot) => this.#encode(topic, slot))
    this.#bytes = Buffer.concat(packets)
    this.#packetBytes = this.#bytes.length / this.slots
    this.#atOffsets = offsetsOf(packets[0] ?? Buffer.alloc(0), AT_MARK)
  }

  /** Hands the bytes of the next `count` messages to `write`, in two parts where the ring ends between them. */
  take(count: number, write: (bytes: Buffer) => void): void {
    const first = this.#next % this.slots
    for (let index = 0; index < count; index++) this.#setTime(this.#next++)
    const untilEnd = Math.min(count, this.slots - first)
    write(this.#slice(first, untilEnd))
    if (untilEnd < count) write(this.#slice(0, count - untilEnd))
  }

  #slice(slot: number, count: number): Buffer {
    return this.#bytes.subarray(slot * this.#packetBytes, (slot + count) * this.#packetBytes)
  }

  #encode(topic: string, slot: number): Buffer {
    const { firstDevice } = plannedMessage(this.#plan, this.#connection, slot)
    const readings = Array.from({ length: this.#plan.readingsPerMessage }, (_, index) =>
      readingText(this.#plan, firstDevice + index),
    )
    return generate({
      cmd: 'publish',
      topic,
      payload: `{"readings":[${readings.join()}]}`,
      messageId: slot + 1,
      qos: 1,
      dup: false,
      retain: false,
    })
  }

  #setTime(message: number): void {
    const { atMs } = plannedMessage(this.#plan, this.#connection, message)
    const from = (message % this.slots) * this.#packetBytes
    const bytes = this.#bytes
    const digits = this.#digits
    writeDigits(digits, atMs)
    // Most times share their first digits with what stands there.
    const old = from + (this.#atOffsets[0] ?? 0)
    let changed = 0
    while (changed < AT_DIGITS && bytes[old + changed] === digits[changed]) changed++
    for (let reading = 0; reading < this.#atOffsets.length; reading++) {
      const at = from + (this.#atOffsets[reading] ?? 0)
      for (let digit = changed; digit < AT_DIGITS; digit++) bytes[at + digit] = digits[digit] ?? 0
    }
  }
}

function readingText(plan: LoadPlan, device: number): string {
  const { temperature, humidity, battery, rssi, snr } = measuredBy(device)
  return (
    `{"device":"${euiOf(plan, device)}","at":${AT_MARK},"temperature":${temperature.toFixed(2)},` +
    `"humidity":${humidity.toFixed(1)},"battery":${battery},"rssi":${rssi},"snr":${snr.toFixed(1)}}`
  )
}

function offsetsOf(packet: Buffer, mark: string): Uint32Array {
  const offsets: number[] = []
  const name = `"at":${mark}`
  for (let at = packet.indexOf(name); at >= 0; at = packet.indexOf(name, at + name.length)) {
    offsets.push(at + name.length - mark.length)
  }
  return Uint32Array.from(offsets)
}

/** In two halves, which fit integers of 32 bits. */
function writeDigits(digits: Uint8Array, value: number): void {
  let high = Math.floor(value / LOW)
  let low = value - high * LOW
  for (let place = AT_DIGITS - 1; place >= AT_DIGITS - LOW_DIGITS; place--) {
    digits[place] = ZERO + (low % 10)
    low = (low / 10) | 0
  }
  for (let place = AT_DIGITS - LOW_DIGITS - 1; place >= 0; place--) {
    digits[place] = ZERO + (high % 10)
    high = (high / 10) | 0
  }
}
