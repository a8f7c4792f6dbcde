import { randomInt } from 'node:crypto'
import { expect, onTestFailed, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { decodeMessages, encodeMessages } from './encoding.ts'
import { testBatch, testPrincipal } from './testing/batches.ts'
import type { SpooledMessage } from './types.ts'

/** SPOOL_SEED repeats a run. */
const seed = Number(process.env['SPOOL_SEED'] ?? randomInt(2 ** 31))

/** Payloads are compared by their bytes, whatever view they are. */
function comparable(messages: readonly SpooledMessage[]) {
  return messages.map((message) => ({ ...message, payload: Buffer.from(message.payload).toString('hex') }))
}

function randomMessage(random: Random): SpooledMessage {
  const texts = [
    '',
    'a',
    'v1/hubs/hub-1/readings',
    'Kühlraum/冷蔵庫/🧊',
    'x'.repeat(random.integer(100, 70_000)),
  ]
  const pool = Buffer.alloc(2_000, random.integer(0, 255))
  const start = random.integer(0, 1_000)
  return {
    topic: texts[random.integer(0, 4)] ?? '',
    payload: pool.subarray(start, start + random.integer(0, 1_000)),
    ...(random.chance(0.3) ? { oversizedBytes: random.integer(0, 2 ** 32 - 1) } : {}),
    qos: random.integer(0, 2) as 0 | 1 | 2,
    isWill: random.chance(0.5),
    receivedAt: random.integer(0, 8_640_000_000_000_000),
    clientId: texts[random.integer(0, 4)] ?? '',
    principal: testPrincipal(random.integer(0, 200)),
  }
}

test(`messages come back as they were (seed ${seed})`, () => {
  onTestFailed(() => void process.stderr.write(`SPOOL_SEED=${seed}\n`))
  const random = new Random(seed)
  for (let round = 0; round < 50; round++) {
    const messages = Array.from({ length: random.integer(0, 300) }, () => randomMessage(random))
    expect(comparable(decodeMessages(encodeMessages(messages)))).toEqual(comparable(messages))
  }
})

test('principals of all kinds come back with all of their fields', () => {
  const { messages } = testBatch(1, { messages: 4 })
  const kinds = ['hub', 'device', 'network_server', 'operator'] as const
  const given = messages.map((message, index) => ({
    ...message,
    principal: { ...testPrincipal(index), kind: kinds[index] ?? 'hub', name: `name "${index}" ü` },
  }))
  const read = decodeMessages(encodeMessages(given))
  expect(read.map(({ principal }) => principal)).toEqual(given.map(({ principal }) => principal))
})

test('what repeats in a batch is written once, and read into one object', () => {
  const { messages } = testBatch(1, { messages: 1_000, payloadBytes: 150 })
  const content = encodeMessages(messages)
  expect(content.length).toBeLessThan(1_000 * (150 + 16) + 1_000)
  expect(new Set(decodeMessages(content).map(({ principal }) => principal)).size).toBe(2)
})

test('the bytes have a buffer of their own, which can be transferred without touching the messages', () => {
  const pool = Buffer.from('before|payload|after')
  const [message] = testBatch(1, { messages: 1 }).messages
  const content = encodeMessages([{ ...message, payload: pool.subarray(7, 14) } as SpooledMessage])
  const moved = structuredClone(content, { transfer: [content.buffer] })
  expect(pool.toString()).toBe('before|payload|after')
  expect(Buffer.from(decodeMessages(moved)[0]?.payload ?? []).toString()).toBe('payload')
})

test('bytes that are cut off, too long or of another version are refused', () => {
  const content = encodeMessages(testBatch(1, { messages: 3, payloadBytes: 20 }).messages)
  for (let length = 0; length < content.length; length++) {
    expect(() => decodeMessages(content.subarray(0, length))).toThrow()
  }
  expect(() => decodeMessages(Buffer.concat([content, Buffer.alloc(2)]))).toThrow(/2 bytes too many/)
  expect(() => decodeMessages(Uint8Array.from([9, ...content.subarray(1)]))).toThrow(
    /has version 9, expected 1/,
  )
})
