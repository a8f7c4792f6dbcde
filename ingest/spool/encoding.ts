import type { Principal } from '../../broker/types.ts'
import type { SpooledMessage } from './types.ts'

/**
 * The messages of a batch as bytes, version 1. Integers are varints (7 bits a byte, the lowest first, at most 32 bits):
 *
 *     version (1 byte), number of texts, texts (length, UTF-8), number of messages, messages:
 *       topic, client id, principal (each an index into the texts; the principal is JSON),
 *       flags (1 byte: QoS in bits 0 and 1, last will in bit 2, oversized in bit 3),
 *       time of arrival (8 bytes, IEEE 754, little endian), full size in bytes if oversized, length, payload
 */
const VERSION = 1
const IS_WILL = 4
const IS_OVERSIZED = 8
const QOS = 3

const VARINT_BYTES_MAX = 5
/** Three indexes, flags, time, full size and length. */
const MESSAGE_BYTES_MAX = 3 * VARINT_BYTES_MAX + 1 + 8 + 2 * VARINT_BYTES_MAX

interface Cursor {
  bytes: Buffer
  at: number
}

/** The messages as bytes in an ArrayBuffer of their own, which may be transferred to another thread. */
export function encodeMessages(messages: readonly SpooledMessage[]): Uint8Array<ArrayBuffer> {
  const texts = new Map<string, number>()
  const rows = internTexts(messages, texts)
  // Not from the shared pool: a transfer would take the whole pool away.
  const to: Cursor = { bytes: Buffer.allocUnsafeSlow(encodedBytesMax(messages, texts)), at: 0 }
  to.bytes[to.at++] = VERSION
  writeVarint(to, texts.size)
  for (const text of texts.keys()) writeText(to, text)
  writeVarint(to, messages.length)
  for (const [index, message] of messages.entries()) writeMessage(to, message, rows[index] ?? [])
  return new Uint8Array(to.bytes.buffer as ArrayBuffer, 0, to.at)
}

/** What `encodeMessages` was given; payloads are views of `content`. Throws when it is none of its results. */
export function decodeMessages(content: Uint8Array): SpooledMessage[] {
  const from: Cursor = { bytes: Buffer.from(content.buffer, content.byteOffset, content.length), at: 0 }
  const version = from.bytes.readUInt8(from.at++)
  if (version !== VERSION) throw new Error(`it has version ${version}, expected ${VERSION}`)
  const texts = readList(from, readText)
  const principals = new Map<number, Principal>()
  const messages = readList(from, () => readMessage(from, texts, principals))
  if (from.at !== content.length) throw new Error(`it has ${content.length - from.at} bytes too many`)
  return messages
}

/** Gives every text a number; returns those of each message. */
function internTexts(messages: readonly SpooledMessage[], texts: Map<string, number>): number[][] {
  const principals = new Map<Principal, number>()
  const numberOf = (text: string) => {
    const known = texts.get(text)
    if (known !== undefined) return known
    texts.set(text, texts.size)
    return texts.size - 1
  }
  return messages.map(({ topic, clientId, principal }) => {
    let who = principals.get(principal)
    if (who === undefined) {
      who = numberOf(JSON.stringify(principal))
      principals.set(principal, who)
    }
    return [numberOf(topic), numberOf(clientId), who]
  })
}

function encodedBytesMax(messages: readonly SpooledMessage[], texts: ReadonlyMap<string, number>): number {
  let bytes = 1 + 2 * VARINT_BYTES_MAX
  for (const text of texts.keys()) bytes += VARINT_BYTES_MAX + Buffer.byteLength(text)
  for (const { payload } of messages) bytes += MESSAGE_BYTES_MAX + payload.length
  return bytes
}

function writeMessage(to: Cursor, message: SpooledMessage, indexes: readonly number[]): void {
  const { payload, oversizedBytes, qos, isWill, receivedAt } = message
  for (const index of indexes) writeVarint(to, index)
  to.bytes[to.at++] = qos | (isWill ? IS_WILL : 0) | (oversizedBytes === undefined ? 0 : IS_OVERSIZED)
  to.at = to.bytes.writeDoubleLE(receivedAt, to.at)
  if (oversizedBytes !== undefined) writeVarint(to, oversizedBytes)
  writeVarint(to, payload.length)
  to.bytes.set(payload, to.at)
  to.at += payload.length
}

function readMessage(
  from: Cursor,
  texts: readonly string[],
  principals: Map<number, Principal>,
): SpooledMessage {
  const topic = textAt(texts, readVarint(from))
  const clientId = textAt(texts, readVarint(from))
  const principal = principalAt(readVarint(from), texts, principals)
  const flags = from.bytes.readUInt8(from.at++)
  const receivedAt = from.bytes.readDoubleLE(from.at)
  from.at += 8
  const oversized = flags & IS_OVERSIZED ? { oversizedBytes: readVarint(from) } : {}
  const payload = readBytes(from)
  const qos = (flags & QOS) as 0 | 1 | 2
  const isWill = (flags & IS_WILL) !== 0
  return { topic, payload, ...oversized, qos, isWill, receivedAt, clientId, principal }
}

/** Messages of one client share their principal, as they did when they arrived. */
function principalAt(index: number, texts: readonly string[], principals: Map<number, Principal>): Principal {
  const known = principals.get(index)
  if (known) return known
  const principal = JSON.parse(textAt(texts, index)) as Principal
  principals.set(index, principal)
  return principal
}

function writeText(to: Cursor, text: string): void {
  writeVarint(to, Buffer.byteLength(text))
  to.at += to.bytes.write(text, to.at)
}

function readText(from: Cursor): string {
  return readBytes(from).toString()
}

function textAt(texts: readonly string[], index: number): string {
  const text = texts[index]
  if (text === undefined) throw new Error(`it refers to text ${index} of ${texts.length}`)
  return text
}

function readList<T>(from: Cursor, readItem: (from: Cursor) => T): T[] {
  const length = readVarint(from)
  const items: T[] = []
  // Not by its length at once: a wrong one must not take the memory.
  for (let index = 0; index < length; index++) items.push(readItem(from))
  return items
}

function readBytes(from: Cursor): Buffer {
  const length = readVarint(from)
  const end = from.at + length
  if (end > from.bytes.length) throw new Error(`it ends ${end - from.bytes.length} bytes too early`)
  const bytes = from.bytes.subarray(from.at, end)
  from.at = end
  return bytes
}

function writeVarint(to: Cursor, value: number): void {
  let rest = value
  while (rest > 0x7f) {
    to.bytes[to.at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  to.bytes[to.at++] = rest
}

function readVarint(from: Cursor): number {
  let value = 0
  for (let shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
    const byte = from.bytes.readUInt8(from.at++)
    value |= (byte & 0x7f) << shift
    if (byte <= 0x7f) return value >>> 0
  }
  throw new Error('it has a number of more than 32 bits')
}
