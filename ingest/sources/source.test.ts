import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publishRoute } from '../../broker/topics.ts'
import type { Arrival } from '../../broker/types.ts'
import type { LogInRecord } from '../../db/registry.ts'
import { until } from '../../db/testing/poll.ts'
import { Budget } from './budget.ts'
import { Source, type SourceOptions } from './source.ts'
import type { SourceConfig } from './source-file.ts'
import { type ScriptedBroker, startScriptedBroker } from './testing/scripted-broker.ts'

const HUB_TOPIC = 'v1/hubs/hub-1/readings'
const UPLINK_TOPIC = 'application/a/device/0101010101010101/event/up'

let broker: ScriptedBroker
let source: Source
let arrivals: { arrival: Arrival; done: (error?: Error) => void }[]
/** What the registry has in memory. */
let known: Map<string, LogInRecord>

beforeEach(async () => {
  broker = await startScriptedBroker()
  arrivals = []
  known = new Map([['hub-1', logIn('hub', 'hub-1')]])
})
afterEach(async () => {
  await source.close()
  await broker.close()
})

function logIn(kind: LogInRecord['kind'], name: string): LogInRecord {
  return { kind, name, id: 1, organizationId: 5, siteId: null, credentialHash: 'hash' }
}

function open(config: Partial<SourceConfig> = {}, options: Partial<SourceOptions> = {}): void {
  source = new Source({
    config: {
      key: 'test',
      kind: 'frostguard',
      url: broker.url,
      username: undefined,
      password: undefined,
      networkServer: undefined,
      filters: ['#'],
      protocolVersion: 4,
      clientId: 'reader',
      sessionExpirySeconds: 60,
      tlsCa: undefined,
      ...config,
    },
    accept: (arrival, done) => void arrivals.push({ arrival, done }),
    routeOf: publishRoute,
    registry: { logIn: (username) => known.get(username) },
    budget: new Budget(1_000_000),
    messageBytesMax: 10_000,
    onAcknowledged: () => {},
    log: pino({ level: 'silent' }),
    ...options,
  })
  source.start()
}

const connected = () => until('it is connected', () => source.isConnected)
const arrive = (count: number) => until(`${count} arrivals`, () => arrivals.length === count)

test('a message counts for the hub that its topic names, and is acknowledged when it is durable', async () => {
  open()
  await connected()
  broker.publish(1, HUB_TOPIC, { payload: '{}' })
  await arrive(1)
  expect(arrivals[0]?.arrival).toMatchObject({
    topic: HUB_TOPIC,
    route: { kind: 'hub', hub: 'hub-1', channel: 'readings' },
    principal: { kind: 'hub', username: 'hub-1', organizationId: 5 },
    qos: 1,
    clientId: 'reader',
  })
  expect(source.inFlight).toBe(1)
  expect(broker.acknowledged).toEqual([])
  arrivals[0]?.done()
  await until('it is acknowledged', () => broker.acknowledged.length === 1)
  expect(source.inFlight).toBe(0)
  expect(source.counters).toMatchObject({ received: 1, acknowledged: 1 })
})

test('a hub that is not in memory is a stranger of no organization: ingest looks it up', async () => {
  open()
  await connected()
  broker.publish(1, HUB_TOPIC)
  broker.publish(2, 'v1/hubs/hub-3/readings')
  await arrive(2)
  expect(arrivals.map(({ arrival }) => arrival.principal)).toMatchObject([
    { username: 'hub-1', organizationId: 5, id: 1 },
    { username: 'hub-3', organizationId: 0, id: 0 },
  ])
})

test('PUBACKs go out in the order of arrival: one that waits holds those behind it', async () => {
  open()
  await connected()
  broker.publish(1, 'v1/hubs/hub-2/readings')
  broker.publish(2, HUB_TOPIC)
  await arrive(2)
  arrivals[1]?.done()
  await until('it is durable', () => source.inFlight === 1)
  expect(broker.acknowledged).toEqual([])
  arrivals[0]?.done()
  await until('both are acknowledged', () => broker.acknowledged.length === 2)
  expect(broker.acknowledged).toEqual([1, 2])
})

test('what comes after the end of intake is not taken; with QoS 0 it is counted as lost, as is what ingest gives back', async () => {
  open()
  await connected()
  broker.publish(0, HUB_TOPIC, { qos: 0 })
  await arrive(1)
  arrivals[0]?.done(new Error('no room'))
  expect(source.counters.ignored.lost).toBe(1)
  source.stopIntake()
  broker.publish(0, HUB_TOPIC, { qos: 0 })
  broker.publish(1, HUB_TOPIC)
  await until('the one of QoS 0 is counted', () => source.counters.ignored.lost === 2)
  expect(arrivals).toHaveLength(1)
  expect(broker.acknowledged).toEqual([])
})

test('a broker that lets in and cuts at once is asked less and less often', async () => {
  open()
  for (let attempt = 1; attempt <= 4; attempt += 1) {
    await until(`connection ${attempt}`, () => source.isConnected && broker.connectedAtMs.length === attempt)
    broker.cut()
  }
  const [first = 0, second = 0, third = 0, fourth = 0] = broker.connectedAtMs
  // Each wait is twice as long, of which the last half is drawn: the third is at least twice the first.
  expect(fourth - third).toBeGreaterThan(1.8 * (second - first))
})

test('a session that its broker has not kept is counted: what came meanwhile is lost', async () => {
  open()
  await connected()
  expect(source.counters.sessionsLost).toBe(0)
  broker.sessionPresent = true
  broker.cut()
  await until('it is back', () => source.isConnected && source.counters.reconnects === 1)
  expect(source.counters.sessionsLost).toBe(0)
  broker.sessionPresent = false
  broker.cut()
  await until('it is back again', () => source.isConnected && source.counters.reconnects === 2)
  expect(source.counters.sessionsLost).toBe(1)
})

test('an uplink counts for the network server of its source', async () => {
  known.set('ns:chirpstack-1', logIn('network_server', 'chirpstack-1'))
  open({ kind: 'chirpstack', networkServer: 'chirpstack-1' })
  await connected()
  broker.publish(1, UPLINK_TOPIC)
  await arrive(1)
  expect(arrivals[0]?.arrival).toMatchObject({
    route: { kind: 'chirpstack', devEui: '0101010101010101', event: 'up' },
    principal: { kind: 'network_server', username: 'ns:chirpstack-1' },
  })
})

test('a network server that the fleet does not know is not listened to until it does; one that is removed no more', async () => {
  open({ kind: 'chirpstack', networkServer: 'chirpstack-1' })
  expect(source.away(performance.now())).toBe(
    'source "test" away for 0 s: the fleet has no network server "chirpstack-1" (fleet:apply adds one)',
  )
  expect(broker.received).toEqual([])
  known.set('ns:chirpstack-1', logIn('network_server', 'chirpstack-1'))
  source.checkSpeaker()
  await connected()
  expect(source.away(performance.now())).toBeUndefined()
  known.clear()
  source.checkSpeaker()
  expect(source.isConnected).toBe(false)
})

test('what comes for a network server that was removed a moment ago is neither taken nor acknowledged', async () => {
  known.set('ns:chirpstack-1', logIn('network_server', 'chirpstack-1'))
  open({ kind: 'chirpstack', networkServer: 'chirpstack-1' })
  await connected()
  known.clear()
  broker.publish(0, UPLINK_TOPIC, { qos: 0 })
  broker.publish(1, UPLINK_TOPIC)
  await until('the one of QoS 0 is counted', () => source.counters.ignored.lost === 1)
  expect(source.counters.ignored.topic).toBe(0)
  expect([arrivals, broker.acknowledged]).toEqual([[], []])
})

test('a network server that a look-up has not found any more is noticed with the next message, which comes again', async () => {
  known.set('ns:chirpstack-1', logIn('network_server', 'chirpstack-1'))
  open({ kind: 'chirpstack', networkServer: 'chirpstack-1' })
  await connected()
  known.clear()
  broker.publish(1, UPLINK_TOPIC)
  await until('it waits for the fleet', () =>
    /has no network server "chirpstack-1"/.test(source.away(performance.now()) ?? ''),
  )
  known.set('ns:chirpstack-1', logIn('network_server', 'chirpstack-1'))
  source.checkSpeaker()
  await connected()
  broker.publish(1, UPLINK_TOPIC)
  await arrive(1)
  expect(broker.acknowledged).toEqual([])
})

test('what is no data of ours, and what was retained, is acknowledged and counted', async () => {
  open()
  await connected()
  broker.publish(1, 'zigbee2mqtt/bridge/state')
  broker.publish(2, 'v1/hubs/hub-1/commands')
  broker.publish(3, HUB_TOPIC, { retain: true })
  await until('all are acknowledged', () => broker.acknowledged.length === 3)
  expect(arrivals).toEqual([])
  expect(source.counters).toMatchObject({ received: 0, ignored: { topic: 2, retained: 1, lost: 0 } })
})

test('a message that is too large keeps its beginning', async () => {
  open()
  await connected()
  broker.publish(1, HUB_TOPIC, { payload: 'x'.repeat(10_001) })
  await arrive(1)
  const { payload, oversizedBytes } = arrivals[0]?.arrival ?? {}
  expect(oversizedBytes).toBe(10_001)
  expect(payload).toHaveLength(4_096)
})

test('when the memory for messages is used up nothing more is read, and when there is room it goes on', async () => {
  open({}, { budget: new Budget(20_000) })
  await connected()
  for (let id = 1; id <= 100; id += 1) broker.publish(id, HUB_TOPIC, { payload: 'x'.repeat(1_000) })
  await until('it stops', () => arrivals.length > 0 && !source.away(0))
  await until('it has stopped', async () => {
    const before = arrivals.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    return arrivals.length === before
  })
  expect(arrivals.length).toBeLessThan(10)
  for (let next = 0; next < 100; next += 1) {
    await until(`message ${next}`, () => arrivals.length > next)
    arrivals[next]?.done()
  }
  await until('all are acknowledged', () => broker.acknowledged.length === 100)
})

test('a broker that goes away is named with the reason, and found again', async () => {
  open()
  await connected()
  broker.cut()
  await until('it is away', () => !source.isConnected)
  expect(source.away(performance.now())).toMatch(/^source "test" away for \d+ s: the connection was closed$/)
  await connected()
  expect(source.counters.reconnects).toBe(1)
})

test('after the end of intake nothing is taken, and what was taken is still acknowledged', async () => {
  open()
  await connected()
  broker.publish(1, HUB_TOPIC)
  await arrive(1)
  source.stopIntake()
  broker.publish(2, HUB_TOPIC)
  arrivals[0]?.done()
  await until('the first is acknowledged', () => broker.acknowledged.length === 1)
  await source.close()
  await until('the broker sees the end', () => !broker.isConnected)
  expect(broker.acknowledged).toEqual([1])
  expect(arrivals).toHaveLength(1)
})
