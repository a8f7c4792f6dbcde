/**
 * Hubs publish to a Mosquitto and FrostGuard reads from it, while either of them or the database is away.
 * `sources.soak.test.ts` has the long ones.
 */
import mqtt from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readReadyz } from '../contract/testing/status-page.ts'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { MOSQUITTO_MISSING } from '../ingest/sources/testing/mosquitto.ts'
import { SHORT_HOLD } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { readingKey } from './testing/publishers.ts'
import { startThroughMosquitto, type ThroughMosquitto } from './testing/through-mosquitto.ts'

const LOAD = { readingsPerMessage: 5, everyMs: 20 }
/** Longer than the test holds its lock. */
const LONG_HOLD = { INGEST_HOLD_MS: '60000' }
const IN_FLIGHT = 1_500

describe.skipIf(MOSQUITTO_MISSING)(
  `through Mosquitto${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  () => {
    describe('one process', () => {
      let server: ProxiedServer
      let through: ThroughMosquitto

      beforeAll(async () => {
        server = await startProxiedServer({ migrate: true })
        through = await startThroughMosquitto({
          databaseUrl: server.url,
          ownerUrl: server.url,
          env: SHORT_HOLD,
        })
      })
      afterAll(async () => {
        await through?.close()
        await server?.remove()
      })

      test('Mosquitto and PostgreSQL are stopped and started under load: nothing is lost, nothing stored twice', async () => {
        const load = through.load(LOAD)
        await through.service.acknowledges(200)
        await through.mosquitto.stop()
        await until('it is named, and hubs are let in', async () =>
          /^200 ready\nsource "mosquitto" away for \d+ s/.test(await readReadyz(through.service)),
        )
        await through.mosquitto.start()
        await through.service.acknowledges(200)
        await server.stop('immediate')
        await through.service.acknowledges(200)
        await server.start()
        await through.service.acknowledges(200)
        await load.stop()
        await through.expectAllStored()
        expect(await through.sourceMetric('reconnects_total')).toBeGreaterThan(0)
      })

      test('a hub that nobody knows speaks while PostgreSQL is away: its source waits, and takes nothing twice', async () => {
        const counts = async () => [
          await through.sourceMetric('reconnects_total'),
          await through.service.metric('frostguard_readings_duplicate_total'),
        ]
        await through.connected()
        const before = await counts()
        const load = through.load(LOAD)
        await through.service.acknowledges(200)
        await server.stop('immediate')
        await through.service.acknowledges(200)
        await publishAsStranger(through)
        await through.service.acknowledges(1_000)
        await server.start()
        await through.service.acknowledges(200)
        await load.stop()
        await through.expectAllStored()
        expect(await counts()).toEqual(before)
      })

      test('what comes while FrostGuard is down, or was in flight when it was killed, it gets when it is back', async () => {
        const load = through.load(LOAD)
        await through.service.acknowledges(200)
        await through.service.end('SIGKILL')
        await through.service.acknowledges(200)
        await load.stop()
        await through.service.start()
        await through.expectAllStored()
        expect(await through.sourceMetric('messages_received_total')).toBeGreaterThan(0)
      })
    })

    test('1,500 messages are in flight on one connection while the table is locked; each is acknowledged when it is stored', async () => {
      const database = await createTestDatabase()
      const through = await startThroughMosquitto({ databaseUrl: database.url, env: LONG_HOLD })
      await onServer(database.url, async (owner) => {
        await owner.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
        await publishMany(through, IN_FLIGHT)
        const inFlight = () => through.sourceMetric('messages_in_flight')
        await until('all are in flight', async () => (await inFlight()) === IN_FLIGHT)
        expect(await through.sourceMetric('messages_acknowledged_total')).toBe(0)
        await owner.query('ROLLBACK')
      })
      await through.expectAllStored()
      expect(await through.sourceMetric('messages_acknowledged_total')).toBe(IN_FLIGHT)
      await through.close()
      await database.drop()
    })

    describe('two processes', () => {
      let database: TestDatabase
      let through: ThroughMosquitto

      beforeAll(async () => {
        database = await createTestDatabase()
        through = await startThroughMosquitto({ databaseUrl: database.url, isShared: true })
      })
      afterAll(async () => {
        await through?.close()
        await database?.drop()
      })

      test('share one subscription: each takes a part, and all is stored once', async () => {
        const other = await through.startAnother()
        const load = through.load(LOAD)
        await through.service.acknowledges(1_000)
        await load.stop()
        await through.expectAllStored()
        const taken = [
          await through.sourceMetric('messages_received_total'),
          await through.sourceMetric('messages_received_total', other),
        ]
        const messages = through.service.ledger.acknowledged.size / LOAD.readingsPerMessage
        expect(Math.min(...taken)).toBeGreaterThan(messages / 10)
        expect(taken[0] ?? 0).toBeLessThan(messages)
      })
    })
  },
)

/** A message of a hub that is not in the fleet. */
async function publishAsStranger({ mosquitto, service }: ThroughMosquitto): Promise<void> {
  const device = service.fleet.devices[0]?.devEui
  const client = await mqtt.connectAsync(mosquitto.url)
  await client.publishAsync('v1/hubs/hub-nowhere/readings', JSON.stringify({ device, temperature: 4 }), {
    qos: 1,
  })
  await client.endAsync()
}

/** One message of one reading after the other, as fast as Mosquitto acknowledges them. */
async function publishMany({ mosquitto, service }: ThroughMosquitto, count: number): Promise<void> {
  const { fleet, ledger } = service
  const hub = fleet.hubs[0]?.key ?? ''
  const device = fleet.devices[0]?.devEui ?? ''
  const client = await mqtt.connectAsync(mosquitto.url)
  const sent = Array.from({ length: count }, async (_, index) => {
    const at = Date.UTC(2026, 10, 20) + index
    ledger.attempted.add(readingKey(device, at))
    await client.publishAsync(`v1/hubs/${hub}/readings`, JSON.stringify({ device, at, temperature: 4 }), {
      qos: 1,
    })
    ledger.acknowledged.add(readingKey(device, at))
  })
  await Promise.all(sent)
  await client.endAsync()
}
