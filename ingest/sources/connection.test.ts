/** What `Connection` needs of MQTT.js, of which two things are not public, and how it acknowledges. */
import type { IPublishPacket } from 'mqtt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { until } from '../../db/testing/poll.ts'
import { Connection, type Done } from './connection.ts'
import { type ScriptedBroker, startScriptedBroker } from './testing/scripted-broker.ts'

let broker: ScriptedBroker
let connection: Connection
let arrived: { packet: IPublishPacket; done: Done }[]
let closed: string[]
let opened: number[]
let mayRead: boolean

beforeEach(async () => {
  broker = await startScriptedBroker()
  arrived = []
  closed = []
  opened = []
  mayRead = true
})
afterEach(async () => {
  await connection.close(100)
  await broker.close()
})

async function open(url = broker.url): Promise<void> {
  connect(url)
  await until('it is open or closed', () => opened.length + closed.length > 0)
}

function connect(url = broker.url): void {
  connection = new Connection(
    {
      url,
      clientId: 'test',
      username: 'reader',
      password: 'secret',
      tlsCa: undefined,
      protocolVersion: 4,
      sessionExpirySeconds: 60,
      keepaliveSeconds: 1,
      filters: ['a', 'b/#'],
    },
    {
      opened: (granted) => void opened.push(granted),
      received: (packet, done) => void arrived.push({ packet, done }),
      mayRead: () => mayRead,
      acknowledged: () => {},
      closed: (reason) => void closed.push(reason),
    },
  )
}

const arrive = (count: number) => until(`${count} messages`, () => arrived.length === count)
const acknowledge = (index: number, error?: Error) => arrived[index]?.done(error)

test('it asks for a kept session and subscribes with QoS 1', async () => {
  await open()
  expect(opened).toEqual([1])
  expect(broker.all('connect')[0]).toMatchObject({ clean: false, clientId: 'test', username: 'reader' })
  expect(broker.all('subscribe')[0]?.subscriptions).toMatchObject([
    { topic: 'a', qos: 1 },
    { topic: 'b/#', qos: 1 },
  ])
})

test('2,000 messages are in flight, none acknowledged by itself; then each is, once and in the order in which they came', async () => {
  await open()
  const ids = Array.from({ length: 2_000 }, (_, index) => index + 1)
  for (const id of ids) broker.publish(id)
  await arrive(2_000)
  // It is written behind any PUBACK that was.
  await until('it pings', () => broker.all('pingreq').length > 0)
  expect(broker.acknowledged).toEqual([])
  for (const { done } of arrived.toReversed()) done()
  await until('all are acknowledged', () => broker.acknowledged.length === 2_000)
  expect(broker.acknowledged).toEqual(ids)
})

test('the last of three is durable first: nothing is acknowledged before the first', async () => {
  await open()
  for (const id of [7, 8, 9]) broker.publish(id)
  await arrive(3)
  acknowledge(2)
  acknowledge(1)
  broker.publish(10)
  await arrive(4)
  expect(broker.acknowledged).toEqual([])
  acknowledge(0)
  await until('three are acknowledged', () => broker.acknowledged.length === 3)
  expect(broker.acknowledged).toEqual([7, 8, 9])
})

test('QoS 0 is handed over and not acknowledged', async () => {
  await open()
  broker.publish(0, 'a', { qos: 0 })
  broker.publish(1)
  await arrive(2)
  acknowledge(0)
  acknowledge(1)
  await until('one is acknowledged', () => broker.acknowledged.length > 0)
  expect(broker.acknowledged).toEqual([1])
})

test('a message that is not taken ends the connection, so that it comes again; nothing behind it is acknowledged', async () => {
  await open()
  for (const id of [1, 2, 3]) broker.publish(id)
  await arrive(3)
  acknowledge(0)
  await until('the first is acknowledged', () => broker.acknowledged.length === 1)
  acknowledge(1, new Error('no room'))
  acknowledge(2)
  await until('the broker sees the end', () => !broker.isConnected)
  expect(closed).toEqual(['a message was not taken: no room'])
  expect(broker.acknowledged).toEqual([1])
})

test('a connection that is cut says so once, and what becomes durable then is no error', async () => {
  await open()
  broker.publish(1)
  await arrive(1)
  broker.cut()
  await until('it is closed', () => closed.length > 0)
  acknowledge(0)
  expect(closed).toHaveLength(1)
})

test('while it may not read, one message comes and no other, neither side takes the other for dead; then it goes on', async () => {
  await open()
  mayRead = false
  for (const id of [1, 2, 3]) broker.publish(id)
  await arrive(1)
  acknowledge(0)
  await until('the first is acknowledged', () => broker.acknowledged.length === 1)
  await until('it pings', () => broker.all('pingreq').length >= 4)
  expect(arrived).toHaveLength(1)
  expect(closed).toEqual([])
  mayRead = true
  connection.resume()
  await arrive(3)
})

test('a refused subscription and a broker that is not there are said in words', async () => {
  broker.grants = 128
  await open()
  expect(closed[0]).toMatch(/^the subscription to a, b\/# failed: /)
  const { url } = broker
  await broker.close()
  closed = []
  await open(url)
  expect(closed[0]).toMatch(/ECONNREFUSED/)
  broker = await startScriptedBroker()
})

test('close says DISCONNECT behind the last PUBACK, also while it may not read', async () => {
  await open()
  mayRead = false
  broker.publish(1)
  broker.publish(2)
  await arrive(1)
  acknowledge(0)
  await connection.close(1_000)
  await until('the broker sees the end', () => !broker.isConnected)
  expect(broker.received.slice(-2).map(({ cmd }) => cmd)).toEqual(['puback', 'disconnect'])
  expect(arrived).toHaveLength(1)
  expect(closed).toEqual([])
})

test('close does not wait for a broker that stands still, nor for one that does not answer CONNECT', async () => {
  await open()
  broker.freeze()
  await connection.close(100)
  broker.answersConnect = false
  broker.cut()
  connect()
  await until('it has asked', () => broker.all('connect').length === 2)
  await connection.close(100)
  await until('the broker sees the end', () => !broker.isConnected)
  expect(closed).toEqual([])
})

test('close does not wait for a SUBACK that does not come', async () => {
  broker.grants = undefined
  connect()
  await until('it has subscribed', () => broker.all('subscribe').length > 0)
  await connection.close(100)
  await until('the broker sees the end', () => !broker.isConnected)
})

test('bytes that are no packet end the connection: what was lost with them comes again', async () => {
  await open()
  broker.sendBytes(Buffer.from([0x36, 0x03, 0x00, 0x01, 0x61]))
  broker.publish(1)
  await until('it is closed', () => closed.length > 0)
  expect(closed).toEqual([expect.stringMatching(/[Ii]nvalid|[Pp]acket|QoS/)])
  expect(broker.acknowledged).toEqual([])
})
