import { comingOf, itemsOf, kindOf, type MessageKind, type Mix, openTally, type Tally } from './mix.ts'
import { AT_DIGITS, encodeSlot, type SlotPacket, type Topics } from './packets.ts'
import { type LoadPlan, messagesPerTurn, plannedMessage } from './plan.ts'

const LOW_DIGITS = 6
const LOW = 10 ** LOW_DIGITS
const ZERO = '0'.charCodeAt(0)

/** First bytes of a PUBLISH with QoS 1. */
const PUBLISH = 0x32
const PUBLISH_DUP = 0x3a

/** The ring keeps every in-flight message, and packet ids have two bytes. */
export const SLOTS_MAX = 65_535

/** Of a slot whose message is not one of plain readings. */
interface SpecialSlot extends Pick<SlotPacket, 'atOffsets' | 'shiftsMs'> {
  kind: MessageKind
  items: number
}

/**
 * The PUBLISH packets of one connection, encoded once: slot s has packet id s + 1, and neither its kind nor its devices
 * ever change, so that only the digits of `at` are written anew. A slot must be free (acknowledged) when its next
 * message is taken.
 */
export class MessageRing {
  readonly slots: number
  readonly #plan: LoadPlan
  readonly #mix: Mix
  readonly #connection: number
  readonly #bytes: Buffer
  /** Where each slot begins, and where the last one ends. */
  readonly #begins: Uint32Array
  /** Where the digits of each reading's `at` begin in a packet of plain readings. */
  readonly #atOffsets: Uint32Array
  readonly #special = new Map<number, SpecialSlot>()
  /** Nothing but plain readings, each once: the common case, which costs no look at anything else. */
  readonly #isPlain: boolean
  readonly #tally = openTally()
  readonly #digits = new Uint8Array(AT_DIGITS)
  #next = 0

  /** `inFlightMax` messages, rounded up to whole turns through the connection's devices. */
  constructor(options: {
    plan: LoadPlan
    connection: number
    topics: Topics
    inFlightMax: number
    mix?: Mix
  }) {
    const { plan, connection, topics, inFlightMax, mix = {} } = options
    const perTurn = messagesPerTurn(plan)
    this.#plan = plan
    this.#mix = mix
    this.#isPlain = Object.values(mix).every((every) => every === undefined)
    this.#connection = connection
    this.slots = Math.ceil(inFlightMax / perTurn) * perTurn
    const packets = Array.from({ length: this.slots }, (_, slot) => {
      const kind = kindOf(mix, connection, slot, this.slots)
      const packet = encodeSlot(plan, { connection, slot, kind, topics })
      if (kind !== 'readings') {
        const { atOffsets, shiftsMs } = packet
        const items = itemsOf(kind, plan)
        this.#special.set(slot, { kind, items, atOffsets, ...(shiftsMs ? { shiftsMs } : {}) })
      }
      return packet
    })
    this.#bytes = Buffer.concat(packets.map(({ bytes }) => bytes))
    this.#begins = beginsOf(packets)
    const plain = packets.find((_, slot) => !this.#special.has(slot))
    this.#atOffsets = plain?.atOffsets ?? new Uint32Array()
  }

  /** What has been taken. */
  get tally(): Tally {
    if (this.#isPlain) this.#tally.readings.first = this.#next
    return this.#tally
  }

  /** Readings and door events in the message of a slot. */
  itemsOf(slot: number): number {
    return this.#isPlain
      ? this.#plan.readingsPerMessage
      : (this.#special.get(slot)?.items ?? this.#plan.readingsPerMessage)
  }

  /** Hands the bytes of the next `count` messages to `write`, in two parts where the ring ends between them. */
  take(count: number, write: (bytes: Buffer) => void): void {
    const first = this.#next % this.slots
    for (let index = 0; index < count; index++) this.#prepare(this.#next++)
    const untilEnd = Math.min(count, this.slots - first)
    write(this.#slice(first, untilEnd))
    if (untilEnd < count) write(this.#slice(0, count - untilEnd))
  }

  #slice(slot: number, count: number): Buffer {
    return this.#bytes.subarray(this.#begins[slot], this.#begins[slot + count])
  }

  #prepare(message: number): void {
    const slot = message % this.slots
    const from = this.#begins[slot] ?? 0
    if (this.#isPlain) this.#setTime(from, this.#timeOf(message))
    else this.#prepareMixed(message, { slot, from })
  }

  #prepareMixed(message: number, { slot, from }: { slot: number; from: number }): void {
    const special = this.#special.get(slot)
    const coming = comingOf(this.#mix, this.#connection, message, this.slots)
    this.#bytes[from] = coming === 'again with DUP' ? PUBLISH_DUP : PUBLISH
    const sent = this.#tally[special?.kind ?? 'readings']
    if (coming !== 'first') {
      sent.again++
      return
    }
    sent.first++
    if (special) this.#setTimes(from, special, this.#timeOf(message))
    else this.#setTime(from, this.#timeOf(message))
  }

  #timeOf(message: number): number {
    return plannedMessage(this.#plan, this.#connection, message).atMs
  }

  /** One time for all readings. */
  #setTime(from: number, atMs: number): void {
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

  #setTimes(from: number, { atOffsets, shiftsMs }: SpecialSlot, atMs: number): void {
    for (const [index, offset] of atOffsets.entries()) {
      writeDigits(this.#digits, atMs + (shiftsMs?.[index] ?? 0))
      this.#bytes.set(this.#digits, from + offset)
    }
  }
}

function beginsOf(packets: readonly SlotPacket[]): Uint32Array {
  const begins = new Uint32Array(packets.length + 1)
  for (const [slot, { bytes }] of packets.entries()) begins[slot + 1] = (begins[slot] ?? 0) + bytes.length
  return begins
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
