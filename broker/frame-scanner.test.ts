import { generate, type Packet, parser } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { FrameScanner } from './frame-scanner.ts'
import { connectPacket, publishPacket, randomSeed, seeded } from './testing.ts'

const LIMITS = {
  connect_bytes_max: 8_000,
  message_bytes_max: 8_000,
  frame_bytes_max: 30_000,
  oversized_kept_bytes: 4_096,
}
const CONNECT = generate(connectPacket())

function loggedIn(): FrameScanner {
  const scanner = new FrameScanner(LIMITS, () => true)
  scanner.scan(CONNECT)
  scanner.logIn()
  return scanner
}

/** What the parser makes of it, as text so that two results can be compared. */
function parse(chunks: Buffer[]): string[] {
  const packets: string[] = []
  const parsing = parser({ protocolVersion: 4 })
  parsing.on('packet', (packet: Packet) => {
    const { length: _length, ...fields } = packet
    packets.push(JSON.stringify(fields))
  })
  parsing.on('error', (error: Error) => packets.push(error.message))
  for (const chunk of chunks) if (chunk.length > 0) parsing.parse(chunk)
  return packets
}

describe('what is passed on', () => {
  test('a chunk without anything large is passed on as it is, without a copy', () => {
    const chunk = Buffer.concat([generate(publishPacket()), generate({ cmd: 'pingreq' })])
    expect(loggedIn().scan(chunk).passed.buffer).toBe(chunk.buffer)
    expect(loggedIn().scan(chunk).passed).toEqual(chunk)
  })

  test('only CONNECT before the log-in, the rest comes back', () => {
    const scanner = new FrameScanner(LIMITS, () => true)
    const behind = generate(publishPacket())
    const first = scanner.scan(Buffer.concat([CONNECT, behind]))
    expect(first).toEqual({ passed: CONNECT, rest: behind, violation: undefined })
    expect(scanner.awaitsLogIn).toBe(true)
    scanner.logIn()
    expect(scanner.awaitsLogIn).toBe(false)
    expect(scanner.scan(behind).passed).toEqual(behind)
  })

  test('exactly the limit passes whole, one byte more is cut, whatever the topic and QoS', () => {
    for (const qos of [0, 1, 2] as const) {
      for (const topic of ['t', 'v1/hubs/hub-1/readings', 'x'.repeat(1_000)]) {
        const size = (bytes: number) =>
          generate(publishPacket({ topic, qos, payload: Buffer.alloc(bytes, 7) }))
        const scanner = loggedIn()
        expect(scanner.scan(size(LIMITS.message_bytes_max)).passed).toEqual(size(LIMITS.message_bytes_max))
        expect(scanner.takeOversizedBytes()).toBeUndefined()
        const { passed } = scanner.scan(size(LIMITS.message_bytes_max + 1))
        expect(passed).toEqual(size(LIMITS.oversized_kept_bytes))
        expect(scanner.takeOversizedBytes()).toBe(LIMITS.message_bytes_max + 1)
        expect(scanner.scan(size(LIMITS.frame_bytes_max)).violation).toBeUndefined()
        expect(scanner.takeOversizedBytes()).toBe(LIMITS.frame_bytes_max)
        expect(scanner.scan(size(LIMITS.frame_bytes_max + 1)).violation).toBe('message_too_large')
      }
    }
  })
})

describe('what ends the connection', () => {
  const header = (type: number, ...length: number[]) => Buffer.from([type, ...length])
  test.each([
    ['a first frame above the message limit', false, header(0x10, 0xc1, 0x3e), 'frame_before_log_in'],
    ['200 MB announced before log-in', false, header(0x10, 0x80, 0x80, 0xaf, 0x5f), 'frame_before_log_in'],
    ['a length of five bytes before log-in', false, header(0x10, 0xff, 0xff, 0xff, 0xff), 'malformed_length'],
    ['a length of five bytes', true, header(0x30, 0xff, 0xff, 0xff, 0xff), 'malformed_length'],
    ['256 MB of PUBLISH', true, header(0x32, 0xff, 0xff, 0xff, 0x7f), 'message_too_large'],
    ['a large SUBSCRIBE', true, header(0x82, 0xc1, 0x3e), 'packet_too_large'],
    ['a large second CONNECT', true, header(0x10, 0xc1, 0x3e), 'packet_too_large'],
  ] as const)('%s', (_what, inside, bytes, violation) => {
    const scanner = inside ? loggedIn() : new FrameScanner(LIMITS, () => true)
    const whole = scanner.scan(Buffer.concat([bytes, Buffer.alloc(100)]))
    expect(whole.violation).toBe(violation)
    expect(whole.passed.length).toBe(0)
    expect(scanner.scan(Buffer.alloc(100)).passed.length).toBe(0)

    const dribbled = inside ? loggedIn() : new FrameScanner(LIMITS, () => true)
    const violations = [...bytes].map((byte) => dribbled.scan(Buffer.from([byte])).violation)
    expect(violations).toEqual(
      [...bytes].map((_, index) => (index === bytes.length - 1 ? violation : undefined)),
    )
  })

  test('what came before in the same chunk is passed on', () => {
    const before = generate(publishPacket())
    const { passed, violation } = loggedIn().scan(Buffer.concat([before, header(0x82, 0xff, 0xff, 0x7f)]))
    expect(passed).toEqual(before)
    expect(violation).toBe('packet_too_large')
  })
})

test('random packets in random chunks come out as the parser alone would read them, the oversized cut', () => {
  for (let round = 0; round < 40; round++) {
    const seed = randomSeed()
    const random = seeded(seed)
    const below = (limit: number) => Math.floor(random() * limit)
    const packets = Array.from({ length: 1 + below(40) }, () => randomPacket(below))
    const bytes = Buffer.concat(packets.map((packet) => generate(packet)))
    const longest = [1, 3, 10, 1_000, 70_000][below(5)] ?? 1
    const scanner = loggedIn()
    const passed: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + below(longest)
      // A copy, as a socket's next chunk may reuse memory: the scanner must keep none of it.
      const chunk = Buffer.from(bytes.subarray(at, end))
      passed.push(Buffer.from(scanner.scan(chunk).passed))
      chunk.fill(0xee)
      at = end
    }
    const expected = packets.map((packet) => generate(cut(packet)))
    expect(parse(passed), `seed ${seed}`).toEqual(parse(expected))
    const publishes = packets.filter((packet) => packet.cmd === 'publish')
    const sizes = publishes.map(({ payload }) =>
      payload.length > LIMITS.message_bytes_max ? payload.length : undefined,
    )
    expect(
      publishes.map(() => scanner.takeOversizedBytes()),
      `seed ${seed}`,
    ).toEqual(sizes)
  }
})

describe('a PUBLISH that must wait', () => {
  test('comes back with what follows it, wherever its header was cut', () => {
    const before = generate({ cmd: 'pingreq' })
    for (const bytes of [5, 300, 20_000]) {
      const whole = Buffer.concat([generate(publishPacket({ payload: Buffer.alloc(bytes, 7) })), before])
      for (let cutAt = 0; cutAt < 12; cutAt++) {
        let mayBegin = false
        const scanner = new FrameScanner(LIMITS, () => mayBegin)
        scanner.scan(CONNECT)
        scanner.logIn()
        const first = scanner.scan(Buffer.concat([before, whole.subarray(0, cutAt)]))
        expect(first.passed).toEqual(before)
        const rest = Buffer.concat([first.rest ?? Buffer.alloc(0), whole.subarray(cutAt)])
        const held = scanner.scan(rest)
        expect(held.passed.length).toBe(0)
        mayBegin = true
        const { passed } = scanner.scan(held.rest ?? Buffer.alloc(0))
        const other = loggedIn().scan(whole).passed
        expect(passed, `${bytes} bytes, cut at ${cutAt}`).toEqual(other)
        expect(scanner.takeOversizedBytes()).toBe(bytes > LIMITS.message_bytes_max ? bytes : undefined)
      }
    }
  })

  test('at random: the same comes out, and each is asked for by the length it is passed on with', () => {
    for (let round = 0; round < 20; round++) {
      const seed = randomSeed()
      const random = seeded(seed)
      const below = (limit: number) => Math.floor(random() * limit)
      const packets = Array.from({ length: 1 + below(30) }, () => randomPacket(below))
      const bytes = Buffer.concat(packets.map((packet) => generate(packet)))
      const begun: number[] = []
      const scanner = new FrameScanner(LIMITS, (frameBytes) => {
        const mayBegin = random() < 0.5
        if (mayBegin) begun.push(frameBytes)
        return mayBegin
      })
      scanner.scan(CONNECT)
      scanner.logIn()
      const passed: Buffer[] = []
      let rest = Buffer.alloc(0)
      for (let at = 0; at < bytes.length || rest.length > 0; ) {
        const end = at + below(2_000)
        const scanned = scanner.scan(Buffer.concat([rest, bytes.subarray(at, end)]))
        passed.push(Buffer.from(scanned.passed))
        rest = Buffer.from(scanned.rest ?? [])
        at = end
      }
      const expected = packets.map((packet) => generate(cut(packet)))
      expect(parse(passed), `seed ${seed}`).toEqual(parse(expected))
      const publishes = packets.filter((packet) => packet.cmd === 'publish')
      const lengths = publishes.map((packet) => remainingLengthOf(generate(cut(packet))))
      expect(begun, `seed ${seed}`).toEqual(lengths)
    }
  })
})

function remainingLengthOf(frame: Buffer): number {
  const lengthBytes = frame.subarray(1).findIndex((byte) => byte < 128) + 1
  return frame.length - 1 - lengthBytes
}

function randomPacket(below: (limit: number) => number): Packet {
  const messageId = 1 + below(65_535)
  switch (below(6)) {
    case 0:
      return { cmd: 'pingreq' }
    case 1:
      return { cmd: 'puback', messageId }
    case 2:
      return { cmd: 'subscribe', messageId, subscriptions: [{ topic: 'x'.repeat(1 + below(500)), qos: 1 }] }
    default: {
      const sizes = [0, 1, 100, 126, 127, 128, 4_096, 8_000, 8_001, 16_384, 30_000]
      const bytes = below(2) === 0 ? below(30_000) : (sizes[below(sizes.length)] ?? 0)
      const qos = below(3) as 0 | 1 | 2
      const payload = Buffer.alloc(bytes, below(256))
      return publishPacket({
        topic: 'x'.repeat(1 + below(300)),
        qos,
        payload,
        dup: qos > 0 && below(2) === 0,
        messageId,
      })
    }
  }
}

function cut(packet: Packet): Packet {
  if (packet.cmd !== 'publish' || packet.payload.length <= LIMITS.message_bytes_max) return packet
  return { ...packet, payload: Buffer.from(packet.payload).subarray(0, LIMITS.oversized_kept_bytes) }
}
