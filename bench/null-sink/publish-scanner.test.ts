import { generate } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { PublishScanner } from './publish-scanner.ts'

const publish = (messageId: number, payloadBytes: number) =>
  generate({
    cmd: 'publish',
    topic: 'a/b',
    // What looks like packets must not be read as such.
    payload: Buffer.alloc(payloadBytes, 0x32),
    messageId,
    qos: 1,
    dup: false,
    retain: false,
  })
const STREAM = Buffer.concat([
  generate({ cmd: 'connect', clientId: 'c', protocolId: 'MQTT', protocolVersion: 4 }),
  publish(1, 0),
  generate({ cmd: 'publish', topic: 'a', payload: 'x', qos: 0, dup: false, retain: false }),
  publish(515, 130),
  generate({ cmd: 'pingreq' }),
  publish(65_535, 3),
  generate({ cmd: 'disconnect' }),
])
const EXPECTED = ['other 1', 'publish 0 1', 'publish 2 3', 'other 12', 'publish 255 255', 'other 14']

function scan(chunks: readonly Buffer[]): string[] {
  const seen: string[] = []
  const scanner = new PublishScanner({
    onPublish: (high, low) => seen.push(`publish ${high} ${low}`),
    onOther: (type) => seen.push(`other ${type}`),
  })
  for (const chunk of chunks) scanner.scan(chunk)
  return seen
}

test('sees every publish with QoS 1, wherever the stream is cut', () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    expect(scan([STREAM.subarray(0, cut), STREAM.subarray(cut)]), `cut at ${cut}`).toEqual(EXPECTED)
  }
})

test('sees them in a stream that comes byte by byte', () => {
  expect(scan([...STREAM].map((byte) => Buffer.of(byte)))).toEqual(EXPECTED)
})
