import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { generate } from 'mqtt-packet'
import { afterEach, expect, test } from 'vitest'
import { guardFrames } from './frame-guard.ts'
import { FrameScanner } from './frame-scanner.ts'
import { connectPacket, publishPacket } from './testing.ts'

const KIB = 1024
const LIMITS = {
  connect_bytes_max: 16 * KIB,
  message_bytes_max: 256 * KIB,
  frame_bytes_max: 4096 * KIB,
  oversized_kept_bytes: 4 * KIB,
}

const sockets: Socket[] = []

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

/** Both ends of a connection; its server's end is guarded as a broker's is, and logged in. */
async function guarded(options: { mayBegin: () => boolean; mayRead: () => boolean }) {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [connection] = (await once(server, 'connection')) as [Socket]
  server.close()
  sockets.push(client, connection)
  const scanner = new FrameScanner(LIMITS, options.mayBegin)
  guardFrames(connection, {
    scanner,
    mayRead: options.mayRead,
    onHeard: () => {},
    onViolation: (violation) => expect(violation).toBeUndefined(),
  })
  client.write(generate(connectPacket()))
  await once(connection, 'readable')
  connection.read()
  scanner.logIn()
  return { client, connection }
}

test('a hub that sends more than may begin is not read on and on: what is not taken stays with it', async () => {
  let mayBegin = 0
  const { client, connection } = await guarded({
    mayBegin: () => {
      mayBegin -= 1
      return mayBegin >= 0
    },
    mayRead: () => mayBegin > 0,
  })
  const highWaterMark = connection.readableHighWaterMark
  let taken = 0
  connection.on('readable', () => {
    taken += (connection.read() as Buffer | null)?.length ?? 0
  })
  const message = generate(publishPacket({ payload: Buffer.alloc(500) }))
  const flood = Buffer.concat(Array.from({ length: 1_000 }, () => message))
  let largest = 0
  let sent = 0
  for (let turn = 0; turn < 300; turn++) {
    if (!client.writableNeedDrain) {
      client.write(flood)
      sent += flood.length
    }
    mayBegin = 3
    connection.emit('readable')
    await sleep(1)
    largest = Math.max(largest, connection.readableLength)
  }
  expect(sent).toBeGreaterThan(1_000_000)
  expect(taken).toBeGreaterThan(300 * message.length)
  expect(connection.readableHighWaterMark).toBe(highWaterMark)
  expect(largest).toBeLessThan(4 * highWaterMark)
})

test('what is larger than the high-water mark arrives whole', async () => {
  const { client, connection } = await guarded({ mayBegin: () => true, mayRead: () => true })
  const payload = Buffer.alloc(200 * KIB, 'x')
  const message = generate(publishPacket({ payload }))
  const received: Buffer[] = []
  connection.on('readable', () => {
    const chunk = connection.read() as Buffer | null
    if (chunk) received.push(chunk)
  })
  for (let count = 0; count < 20; count++) client.write(message)
  while (received.reduce((sum, { length }) => sum + length, 0) < 20 * message.length) await sleep(1)
  expect(Buffer.concat(received).equals(Buffer.concat(Array.from({ length: 20 }, () => message)))).toBe(true)
})
