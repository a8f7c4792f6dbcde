import { generate } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { AnswerScanner } from './answer-scanner.ts'

const STREAM = Buffer.concat([
  generate({ cmd: 'connack', returnCode: 0, sessionPresent: false }),
  generate({ cmd: 'puback', messageId: 1 }),
  generate({ cmd: 'puback', messageId: 0x4002 }),
  generate({ cmd: 'pingresp' }),
  generate({ cmd: 'puback', messageId: 0xd000 }),
  generate({ cmd: 'puback', messageId: 65_535 }),
])
const EXPECTED = ['connack 0', 'puback 1', 'puback 16386', 'puback 53248', 'puback 65535']

function scan(chunks: readonly Uint8Array[]): string[] {
  const seen: string[] = []
  const scanner = new AnswerScanner({
    onConnack: (returnCode) => seen.push(`connack ${returnCode}`),
    onPuback: (packetId) => seen.push(`puback ${packetId}`),
    onUnexpected: (byte) => seen.push(`unexpected ${byte.toString(16)}`),
  })
  // As the socket does it: one buffer for every chunk, with rests of the one before.
  const shared = new Uint8Array(64).fill(0x40)
  for (const chunk of chunks) {
    shared.set(chunk)
    scanner.scan(shared, chunk.length)
  }
  return seen
}

test('reads every packet, whatever two points the stream is cut at', () => {
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second++) {
      const chunks = [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)]
      expect(scan(chunks), `cut at ${first} and ${second}`).toEqual(EXPECTED)
    }
  }
})

test('reads a stream that comes byte by byte', () => {
  expect(scan([...STREAM].map((byte) => Uint8Array.of(byte)))).toEqual(EXPECTED)
})

test('stops at what it has not asked for', () => {
  const suback = generate({ cmd: 'suback', messageId: 1, granted: [0] })
  expect(scan([Buffer.concat([suback, STREAM])])).toEqual(['unexpected 90'])
  expect(scan([Buffer.from([0x40, 3, 0, 1, 0, 0x40, 2, 0, 1])])).toEqual(['unexpected 40'])
})
