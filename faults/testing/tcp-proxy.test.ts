import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../../db/testing/poll.ts'
import { startTcpProxy, startUrlProxy, type TcpProxy } from './tcp-proxy.ts'

/** One end of a connection, with what it has seen. */
interface End {
  socket: Socket
  chunks: Buffer[]
  bytes: number
  hasEnded: boolean
  error: string | undefined
  closed: boolean
}

let server: Server
let proxy: TcpProxy
let ends: End[]
/** The server's ends, in order of their arrival. */
let served: End[]

function watch(socket: Socket): End {
  const end: End = { socket, chunks: [], bytes: 0, hasEnded: false, error: undefined, closed: false }
  socket.on('data', (bytes: Buffer) => {
    end.chunks.push(bytes)
    end.bytes += bytes.length
  })
  socket.on('end', () => {
    end.hasEnded = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end.error = error.code
  })
  socket.on('close', () => {
    end.closed = true
  })
  ends.push(end)
  return end
}

function received({ chunks }: End): Buffer {
  return Buffer.concat(chunks)
}

/** Both ends of a new connection through the proxy. */
async function open(): Promise<{ client: End; target: End }> {
  const before = served.length
  const client = watch(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }))
  await until('the server has the connection', () => served.length > before)
  return { client, target: served.at(-1) as End }
}

beforeEach(async () => {
  ends = []
  served = []
  server = createServer({ allowHalfOpen: true }, (socket) => served.push(watch(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await startTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.close()
  for (const { socket } of ends) socket.destroy()
  server.close()
})

test('without faults all bytes pass both ways, counted, and each end is passed on alone', async () => {
  const { client, target } = await open()
  const bytes = Buffer.alloc(3_000_000, 'ab')
  client.socket.end(bytes)
  await until('all came', () => target.hasEnded)
  expect(received(target).equals(bytes)).toBe(true)
  target.socket.end('answer')
  await until('the answer came', () => client.hasEnded)
  expect(received(client).toString()).toBe('answer')
  await until('it is closed', () => proxy.counts.open === 0)
  expect(proxy.counts).toEqual({
    accepted: 1,
    hung: 0,
    open: 0,
    reset: 0,
    bytesToTarget: bytes.length,
    bytesToClient: 6,
  })
})

describe('new connections', () => {
  test('are refused as if nothing listened, while open ones live, and accepted again on the same port', async () => {
    const { client, target } = await open()
    await proxy.accept('refuse')
    const refused = watch(connect({ port: proxy.port, host: '127.0.0.1' }))
    await until('it was refused', () => refused.closed)
    expect(refused.error).toBe('ECONNREFUSED')
    client.socket.write('still')
    await until('the open one lives', () => received(target).toString() === 'still')
    await proxy.accept('pass')
    await open()
  })

  test('hang: accepted, and nothing is forwarded', async () => {
    await proxy.accept('hang')
    const client = watch(connect({ port: proxy.port, host: '127.0.0.1' }))
    client.socket.write('hello?')
    await until('it was accepted', () => proxy.counts.hung === 1)
    await proxy.accept('pass')
    await open()
    expect(served.length).toBe(1)
    expect(client.closed).toBe(false)
  })
})

test('a reset reaches both sides as one', async () => {
  const pairs = [await open(), await open()]
  expect(proxy.reset()).toBe(2)
  await until('all are closed', () => ends.every(({ closed }) => closed))
  for (const { client, target } of pairs)
    expect([client.error, target.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
  expect(proxy.counts).toMatchObject({ reset: 2, open: 0 })
})

test('a reset by one side is passed on to the other', async () => {
  const { client, target } = await open()
  client.socket.resetAndDestroy()
  await until('the other side was reset', () => target.closed)
  expect(target.error).toBe('ECONNRESET')
  expect(proxy.counts.reset).toBe(0)
})

test.each(['client', 'target'] as const)(
  'half-closed towards the %s, the other direction goes on',
  async (side) => {
    const pair = await open()
    const other = side === 'client' ? 'target' : 'client'
    proxy.halfClose(side)
    await until('it has ended', () => pair[side].hasEnded)
    pair[side].socket.write('go on')
    await until('the other direction works', () => received(pair[other]).toString() === 'go on')
    expect(pair[other].hasEnded).toBe(false)
  },
)

describe('a black hole', () => {
  test('takes one direction, and heals with every byte in order', async () => {
    const { client, target } = await open()
    proxy.setFaults({ toTarget: { isBlackHole: true } })
    const bytes = Buffer.alloc(32_000_000, 'xyz')
    client.socket.end(bytes)
    target.socket.write('other direction')
    await until('the other direction works', () => client.bytes === 15)
    expect(target.bytes).toBe(0)
    // The sender feels it: not all that it wrote was taken.
    expect(client.socket.writableLength).toBeGreaterThan(0)
    proxy.setFaults({})
    await until('all came', () => target.hasEnded)
    expect(received(target).equals(bytes)).toBe(true)
  })

  test('begins after so many bytes', async () => {
    const { client, target } = await open()
    client.socket.write('before')
    await until('it came', () => target.bytes === 6)
    proxy.setFaults({ toTarget: { limit: { bytes: 10, action: 'black-hole' } } })
    client.socket.write('0123456789abcdef')
    await until('ten came', () => target.bytes === 16)
    const { client: second, target: secondTarget } = await open()
    second.socket.write('0123456789abcdef')
    await until('ten of the next too', () => secondTarget.bytes === 10)
    expect(target.bytes).toBe(16)
    proxy.setFaults({})
    await until('the rest', () => target.bytes === 22 && secondTarget.bytes === 16)
  })
})

test('cut after so many bytes of one direction: exactly these arrive, then both sides are reset', async () => {
  proxy.setFaults({ toClient: { limit: { bytes: 100_001, action: 'reset' } } })
  const { client, target } = await open()
  target.socket.write(Buffer.alloc(300_000, 'z'))
  await until('both are closed', () => client.closed && target.closed)
  expect(client.bytes).toBe(100_001)
  expect(proxy.counts).toMatchObject({ reset: 1, bytesToClient: 100_001 })
})

test('delayed, every byte arrives so much later', async () => {
  proxy.setFaults({ toTarget: { delayMs: 200 } })
  const { client, target } = await open()
  const sentAtMs: number[] = []
  const arrivedAtMs: number[] = []
  target.socket.on('data', (bytes: Buffer) => {
    for (const _ of bytes) arrivedAtMs.push(performance.now())
  })
  for (let count = 0; count < 20; count++) {
    sentAtMs.push(performance.now())
    client.socket.write('x')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await until('all came', () => arrivedAtMs.length === 20)
  // Timers may end a fraction of a millisecond early.
  expect(arrivedAtMs.every((atMs, index) => atMs - (sentAtMs[index] ?? 0) >= 199)).toBe(true)
})

test('throttled to so many bytes a second, and healed while it is under way', async () => {
  proxy.setFaults({ toTarget: { bytesPerSecond: 1_000 } })
  const { client, target } = await open()
  const startMs = performance.now()
  client.socket.write(Buffer.alloc(50_000))
  await until('some came', () => target.bytes >= 500)
  expect(target.bytes / ((performance.now() - startMs) / 1_000)).toBeLessThan(1_500)
  proxy.setFaults({})
  await until('the rest came', () => target.bytes === 50_000)
})

test('in front of a URL, it leads through the proxy', async () => {
  const { port } = server.address() as AddressInfo
  const through = await startUrlProxy(`postgres://user:secret@127.0.0.1:${port}/db?sslmode=disable`)
  expect(through.url).toBe(`postgres://user:secret@127.0.0.1:${through.proxy.port}/db?sslmode=disable`)
  await through.proxy.close()
})

test('led to another server, new connections go there and open ones stay', async () => {
  const first = await open()
  const other = createServer((socket) => watch(socket))
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  proxy.leadTo({ host: '127.0.0.1', port: (other.address() as AddressInfo).port })
  const arrived = once(other, 'connection')
  watch(connect({ port: proxy.port, host: '127.0.0.1' }))
  await arrived
  first.client.socket.write('still')
  await until('the open one lives', () => received(first.target).toString() === 'still')
  other.close()
})
