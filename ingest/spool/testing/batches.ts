import type { Principal } from '../../../broker/types.ts'
import { Random } from '../../../simulators/random.ts'
import { encodeMessages } from '../encoding.ts'
import type { SpooledBatch, SpooledMessage } from '../types.ts'
import type { EncodedBatch } from '../worker-messages.ts'

export const WRITER = '0b6f1b1e-9a0e-4a7a-8f57-2f9c3a0b7d11'

interface BatchOptions {
  messages?: number
  payloadBytes?: number
  receivedAt?: number
}

export function testPrincipal(number: number): Principal {
  const name = `hub-${number}`
  const credentialHash = `scrypt$${number}$${'a'.repeat(40)}`
  return { kind: 'hub', name, username: name, organizationId: 7, id: number, credentialHash }
}

/** A batch whose every byte follows from its id and its size, so that it can be compared with what comes back. */
export function testBatch(id: number, options: BatchOptions = {}): SpooledBatch {
  const { messages = 10, payloadBytes = 150, receivedAt = Date.UTC(2026, 10, 20) } = options
  const random = new Random(id)
  const principals = [testPrincipal(random.integer(0, 9)), testPrincipal(random.integer(10, 19))]
  return {
    id: BigInt(id),
    writer: WRITER,
    tried: random.chance(0.5),
    items: { readings: messages, doors: id % 3, status: id % 2 },
    messages: Array.from({ length: messages }, (_, index) => {
      const principal = principals[index % 2] ?? testPrincipal(0)
      return testMessage(random, { principal, payloadBytes, receivedAt: receivedAt + index })
    }),
  }
}

function testMessage(
  random: Random,
  { principal, payloadBytes, receivedAt }: { principal: Principal; payloadBytes: number; receivedAt: number },
): SpooledMessage {
  return {
    topic: `v1/hubs/${principal.name}/readings`,
    payload: Buffer.alloc(payloadBytes, `${random.integer(0, 1e9)} `),
    qos: random.chance(0.9) ? 1 : 2,
    isWill: random.chance(0.1),
    receivedAt,
    clientId: `${principal.name}|client`,
    principal,
  }
}

export function testEncodedBatch(id: number, options: BatchOptions = {}): EncodedBatch {
  const { messages, writer, tried, items } = testBatch(id, options)
  const receivedAtMs = messages[0]?.receivedAt ?? 0
  const content = encodeMessages(messages)
  return { id: BigInt(id), writer, tried, items, messages: messages.length, receivedAtMs, content }
}

/** Whether a batch is what `testBatch` makes of its id and the same options. */
export function isTestBatch(batch: SpooledBatch, options: BatchOptions = {}): boolean {
  const made = testBatch(Number(batch.id), options)
  const { messages, ...rest } = batch
  const { messages: madeMessages, ...madeRest } = made
  return (
    rest.writer === madeRest.writer &&
    rest.tried === madeRest.tried &&
    JSON.stringify(rest.items) === JSON.stringify(madeRest.items) &&
    Buffer.compare(encodeMessages(messages), encodeMessages(madeMessages)) === 0
  )
}
