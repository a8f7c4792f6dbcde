import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { resultOf, startGenerator } from '../processes/generator.ts'
import { startBareAedes, startNullSink } from '../processes/servers.ts'
import { testResources } from '../testing/resources.ts'
import { runLoad } from './load.ts'
import { loadOptionsOf, parseLoadCommand } from './options.ts'

const load = (port: number, ...args: string[]) =>
  runLoad(loadOptionsOf(parseLoadCommand([`--port=${port}`, '--interval=0', ...args]), Date.now()))

test('against the null sink everything sent is acknowledged, and the phases are told', async () => {
  const resources = testResources()
  const { port } = await startNullSink(resources)
  const phases: string[] = []
  const args = [`--port=${port}`, '-c', '5', '-i', '0', '-F', '8', '--seconds', '1', '--quiet']
  const generator = startGenerator(args, { resources, onPhase: (phase) => phases.push(phase) })
  const result = await resultOf(generator)
  expect(await generator.ended).toBe(0)
  expect(phases).toEqual(['measuring', 'draining'])
  expect(result.messages).toBeGreaterThan(5 * 8)
  expect(result.acknowledgedMessages).toBe(result.messages)
  expect(result.acknowledgedReadings).toBe(result.messages * 50)
  expect(result.acknowledgedByConnection).toEqual(result.sentByConnection)
  expect(result.sentByConnection.reduce((sum, sent) => sum + sent, 0)).toBe(result.messages)
  expect(result.connectionsLost).toBe(0)
  const { latencyMs } = result.measured
  expect(latencyMs.p50).toBeGreaterThan(0)
  expect(latencyMs.p99).toBeGreaterThanOrEqual(latencyMs.p50)
  const inFull = new Map(result.measured.latencyPercentiles)
  // The histogram's steps are a thousandth of the value apart.
  const distance = (percentile: number, ms: number) => Math.abs((inFull.get(percentile) ?? 0) / ms - 1)
  expect(distance(50, latencyMs.p50)).toBeLessThan(0.01)
  expect(distance(100, latencyMs.max)).toBeLessThan(0.01)
})

test('--limit sends so many messages, open loop too, and Aedes acknowledges them', async () => {
  const { port } = await startBareAedes(testResources())
  const closed = await load(port, '-c', '3', '-F', '4', '-L', '100', '--readings-per-message', '2')
  expect(closed.acknowledgedMessages).toBe(100)
  const open = await load(port, '-c', '3', '-I', '3', '-L', '100', '--readings-per-message', '2')
  expect(open.acknowledgedMessages).toBe(100)
  expect(open.dueMessages).toBe(100)
})

/** A server that answers as it is told to; resolves to its port. */
async function serve(onData: (socket: Socket, bytes: Buffer) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', (bytes: Buffer) => onData(socket, bytes))
    socket.on('error', () => {})
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const CONNACK = Buffer.from([0x20, 2, 0, 0])
const isConnect = (bytes: Buffer) => bytes[0] === 0x10

test('connections that die are reported, with what was not acknowledged', async () => {
  const port = await serve((socket, bytes) => {
    if (isConnect(bytes)) socket.write(CONNACK)
    // Two of the four messages in flight.
    else socket.end(Buffer.from([0x40, 2, 0, 1, 0x40, 2, 0, 2]))
  })
  const result = await load(port, '-c', '2', '-F', '4', '-L', '8', '--readings-per-message', '1')
  expect(result).toMatchObject({ messages: 8, acknowledgedMessages: 4, connectionsLost: 2 })
  expect(result.acknowledgedByConnection).toEqual([2, 2])
  expect(result.reasonsLost).toEqual(['the server closed the connection'])
})

test('an acknowledgement out of order ends the connection', async () => {
  const port = await serve((socket, bytes) => {
    socket.write(isConnect(bytes) ? CONNACK : Buffer.from([0x40, 2, 0, 2]))
  })
  const result = await load(port, '-c', '1', '-F', '2', '-L', '2', '--readings-per-message', '1')
  expect(result).toMatchObject({ acknowledgedMessages: 0, connectionsLost: 1 })
  expect(result.reasonsLost).toEqual(['the server acknowledged packet 2, expected 1'])
})

test('a refused log-in and a port where nobody listens are sentences', async () => {
  const port = await serve((socket) => void socket.end(Buffer.from([0x20, 2, 0, 4])))
  await expect(load(port, '-c', '2')).rejects.toThrow(
    'the log-in was refused: user name or password (return code 4)',
  )
  const generator = startGenerator(['--port=1', '--quiet'], { resources: testResources(), onPhase: () => {} })
  await expect(resultOf(generator)).rejects.toThrow('The load was not run: connect ECONNREFUSED 127.0.0.1:1')
  expect(await generator.ended).toBe(1)
})
