/** Messages to operators, over a broker and MQTT as they are: docs/protocol.md, "Alerts" and "Unit status". */
import type { MqttClient } from 'mqtt'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { closeAll, connectClient, startBroker, until } from '../../broker/testing.ts'
import { until as eventually } from '../../db/testing/poll.ts'
import { type AlertDatabase, type AlertRows, openAlertDatabase } from '../testing/alert-database.ts'
import { OutgoingPublisher, type OutgoingPublisherOptions } from './outgoing-publisher.ts'
import { queueAlertTransitions } from './queue-alerts.ts'
import { queueUnitStatuses } from './queue-units.ts'

const NOW = Date.UTC(2026, 10, 20, 12)

let database: AlertDatabase
let rows: AlertRows
let publisher: OutgoingPublisher | undefined
const publishers: OutgoingPublisher[] = []
beforeAll(async () => {
  database = await openAlertDatabase()
})
beforeEach(async () => {
  rows = await database.begin()
  // Units of earlier tests would be told of too.
  await rows.pool.query('UPDATE units SET deleted_at = now() WHERE id <> $1', [rows.fleet.unitId])
  await rows.pool.query('TRUNCATE pipeline.brokers')
})
afterEach(async () => {
  for (const started of publishers.splice(0)) await started.stop()
  await closeAll()
})
afterAll(() => database.close())

function startPublisher(
  publish: OutgoingPublisherOptions['publish'],
  brokerId = 'broker-1',
): OutgoingPublisher {
  publisher = new OutgoingPublisher({
    pool: rows.pool,
    brokerId,
    keptMs: 3_600_000,
    log: pino({ level: 'silent' }),
    publish,
    now: () => NOW,
    pollMs: 20,
  })
  publishers.push(publisher)
  publisher.start()
  return publisher
}

/** An operator of the organization and what it has received: the transition or status of each message. */
async function operator(port: number, options = {}): Promise<{ client: MqttClient; heard: string[] }> {
  const heard: string[] = []
  const client = await connectClient(port, { username: `operator:${rows.slug}`, ...options })
  client.on('message', (_topic, payload) => {
    const message = JSON.parse(payload.toString())
    heard.push(message.transition ?? message.status)
  })
  await client.subscribeAsync(`v1/orgs/${rows.slug}/#`, { qos: 1 })
  return { client, heard }
}

const setStatus = (status: string, sinceMs: number) =>
  rows.inTransaction(async (client) => {
    const { unitId } = rows.fleet
    await client.query('UPDATE units SET status = $2 WHERE id = $1', [unitId, status])
    await queueUnitStatuses(client, [{ unitId, sinceMs }], NOW)
  })

const tell = (alertId: number, ...transitions: ('raised' | 'escalated' | 'resolved')[]) =>
  rows.inTransaction((client) =>
    queueAlertTransitions(
      client,
      transitions.map((transition) => ({ alertId, transition })),
      NOW,
    ),
  )

const kept = async () => {
  const { rows: left } = await rows.pool.query<{ payload: string }>(
    'SELECT payload FROM pipeline.outgoing_messages ORDER BY id',
  )
  return left.map(({ payload }) => JSON.parse(payload))
}

test('an operator hears of everything once, in order; then only the last status is kept', async () => {
  const { broker, addresses } = await startBroker()
  const { heard } = await operator(addresses.mqtt.port)
  const alertId = await rows.insertAlert()
  startPublisher((message) => broker.publish(message))
  await until(() => heard.length === 1, 'the status of the unit is told')
  await tell(alertId, 'raised', 'escalated')
  await setStatus('alarm_active', NOW - 1)
  await setStatus('restoring', NOW)
  await tell(alertId, 'resolved')
  publisher?.wake()
  await until(() => heard.length === 6, 'all is told')
  expect(heard).toEqual(['offline', 'raised', 'escalated', 'alarm_active', 'restoring', 'resolved'])
  await eventually('what is published is deleted', async () => (await kept()).length === 1)
  expect(await kept()).toMatchObject([{ status: 'restoring', since: NOW }])
  expect(publisher?.published).toBe(6)
})

test('who subscribes later hears the status of each unit, also after a restart of the broker', async () => {
  const first = await startBroker()
  startPublisher((message) => first.broker.publish(message))
  const alertId = await rows.insertAlert()
  await setStatus('excursion', NOW - 60_000)
  await tell(alertId, 'raised')
  await eventually('what is published is deleted', async () => (await kept()).length === 1)
  const late = await operator(first.addresses.mqtt.port)
  await until(() => late.heard.length === 1, 'the retained status')
  await publisher?.stop()

  const second = await startBroker()
  startPublisher((message) => second.broker.publish(message))
  await eventually('it is published again', () => publisher?.published === 1)
  const { heard } = await operator(second.addresses.mqtt.port)
  await until(() => heard.length === 1, 'the retained status')
  expect([late.heard, heard]).toEqual([['excursion'], ['excursion']])
  expect(await kept()).toMatchObject([{ since: NOW - 60_000 }])
})

test('an operator with a session hears what was told while it was away', async () => {
  const { broker, addresses } = await startBroker()
  const session = { clientId: 'console', clean: false }
  const { client } = await operator(addresses.mqtt.port, session)
  await client.endAsync()
  startPublisher((message) => broker.publish(message))
  await tell(await rows.insertAlert(), 'raised', 'resolved')
  await eventually('all is published', () => publisher?.published === 3)
  const { heard } = await operator(addresses.mqtt.port, session)
  await until(() => heard.includes('resolved'), 'what was told meanwhile')
  expect(heard.filter((what) => what !== 'offline')).toEqual(['raised', 'resolved'])
})

test('what the broker refuses, and what the database cannot tell, is tried again, in order', async () => {
  const published: string[] = []
  let refusals = 3
  await tell(await rows.insertAlert(), 'raised', 'escalated', 'resolved')
  startPublisher(async ({ payload }) => {
    const { transition } = JSON.parse(payload)
    if (transition === 'escalated' && refusals-- > 0) throw new Error('the queue is full')
    published.push(transition)
  })
  await until(() => published.includes('resolved'), 'all is published')
  expect(published.filter((transition) => transition !== undefined)).toEqual([
    'raised',
    'escalated',
    'resolved',
  ])
  // What is not deleted yet would come twice.
  await eventually('what is published is deleted', async () => (await kept()).length === 1)
  await rows.pool.query('ALTER TABLE pipeline.outgoing_messages RENAME TO away')
  await new Promise((resolve) => setTimeout(resolve, 100))
  await rows.pool.query('ALTER TABLE pipeline.away RENAME TO outgoing_messages')
  await tell(await rows.insertAlert({ condition_type: 'rate_of_change' }), 'raised')
  await until(() => published.length === 5, 'it goes on')
})

test('more messages than one page holds', async () => {
  const published: string[] = []
  await rows.pool.query(
    `INSERT INTO pipeline.outgoing_messages (topic, payload) SELECT 't', n::text FROM generate_series(1, 1201) n`,
  )
  startPublisher(async ({ topic, payload }) => {
    if (topic === 't') published.push(payload)
  })
  await until(() => published.length === 1_201, 'all is published')
  expect(published).toEqual(Array.from({ length: 1_201 }, (_, n) => String(n + 1)))
})

test('of several brokers each tells its operators everything once, also what it missed while it was away', async () => {
  const [first, second] = [await startBroker(), await startBroker()]
  const operators = [await operator(first.addresses.mqtt.port), await operator(second.addresses.mqtt.port)]
  startPublisher((message) => first.broker.publish(message), 'first')
  const leaving = startPublisher((message) => second.broker.publish(message), 'second')
  const heardBy = (index: number) => operators[index]?.heard.filter((what) => what !== 'offline') ?? []
  await eventually('both are known', async () => (await knownBrokers()) === 2)
  const alertId = await rows.insertAlert()
  await tell(alertId, 'raised')
  await until(() => heardBy(0).length === 1 && heardBy(1).length === 1, 'both tell of it')
  await leaving.stop()
  await tell(alertId, 'escalated')
  await until(() => heardBy(0).length === 2, 'one tells of it')
  await eventually('it is kept for the other one', async () => (await kept()).length === 2)
  await eventually('that is noted', async () => {
    const { rows: noted } = await rows.pool.query(
      'SELECT FROM pipeline.brokers WHERE published_id = (SELECT max(id) FROM pipeline.outgoing_messages)',
    )
    return noted.length === 1
  })
  expect(heardBy(1)).toEqual(['raised'])

  const heardByNew: string[] = []
  startPublisher(async ({ payload }) => void heardByNew.push(JSON.parse(payload).transition), 'new')
  await eventually('the new one is known', async () => (await knownBrokers()) === 3)
  startPublisher((message) => second.broker.publish(message), 'second')
  await until(() => heardBy(1).length === 2, 'the other one is back')
  await tell(alertId, 'resolved')
  await until(() => heardBy(0).length === 3 && heardBy(1).length === 3, 'both tell of it')
  await until(() => heardByNew.includes('resolved'), 'the new one too')
  expect(heardBy(0)).toEqual(['raised', 'escalated', 'resolved'])
  expect(heardBy(1)).toEqual(['raised', 'escalated', 'resolved'])
  expect(heardByNew.filter((transition) => transition !== undefined)).toEqual(['resolved'])
  await eventually('what all have published is deleted', async () => (await kept()).length === 1)
})

test('what is committed later is published later, whoever began first', async () => {
  const published: string[] = []
  startPublisher(async ({ payload }) => void published.push(JSON.parse(payload).transition ?? 'status'))
  await until(() => published.length === 1, 'the status of the unit')
  const alertId = await rows.insertAlert()
  const early = await rows.pool.connect()
  await early.query('BEGIN')
  await queueAlertTransitions(early, [{ alertId, transition: 'raised' }], NOW)
  const late = tell(alertId, 'escalated')
  await rows.untilLocked()
  await early.query('COMMIT')
  early.release()
  await late
  await until(() => published.length === 3, 'all is published')
  expect(published).toEqual(['status', 'raised', 'escalated'])
})

async function knownBrokers(): Promise<number> {
  const { rows: known } = await rows.pool.query('SELECT FROM pipeline.brokers')
  return known.length
}
