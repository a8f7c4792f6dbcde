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
import { type LoadedService, SHORT_HOLD } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { readingKey } from './testing/publishers.ts'
import { untilSettled } from './testing/settled.ts'
import { startThroughMosquitto, type ThroughMosquitto } from './testing/through-mosquitto.ts'

const LOAD = { readingsPerMessage: 5, everyMs: 20 }
/** Longer than the test holds its lock. */
const LONG_HOLD = { INGEST_HOLD_MS: '60000' }
const IN_FLIGHT = 1_500
/** As many messages as a broker sends that waits for their PUBACKs before it sends more. */
const WINDOW = 20
const WINDOWS = 25

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
          // What is added is not heard of but by a look-up.
          env: { ...SHORT_HOLD, REGISTRY_REFRESH_MS: '60000' },
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

      test('hubs that are not known speak while PostgreSQL is away: nobody waits for it, nothing is taken twice, and what was added is stored', async () => {
        const { service } = through
        const counts = async () => [
          await through.sourceMetric('reconnects_total'),
          await service.metric('frostguard_readings_duplicate_total'),
        ]
        await through.connected()
        const before = await counts()
        const load = through.load(LOAD)
        await service.acknowledges(200)
        const added = await addHub(service)
        await server.stop('immediate')
        await service.acknowledges(200)
        await publishAs('hub-nowhere', through)
        const at = await publishAs(added, through)
        const published = await through.sourceMetric('messages_received_total')
        await until(
          'what came until then is acknowledged',
          async () => (await through.sourceMetric('messages_acknowledged_total')) >= published,
        )
        expect(await readReadyz(service)).toMatch(/^503 /)
        await server.start()
        await service.acknowledges(200)
        await load.stop()
        await through.expectAllStored()
        expect(await counts()).toEqual(before)
        const stored = await service.owner.query('SELECT 1 FROM sensor_readings WHERE recorded_at = $1', [at])
        expect(stored.rowCount).toBe(1)
        const rejected = await service.owner.query('SELECT client, reason FROM pipeline.rejected_messages')
        expect(rejected.rows).toEqual([{ client: 'hub-nowhere', reason: 'unknown_device' }])
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

    test('with 1,500 messages in flight on one connection Mosquitto restarts, then PostgreSQL, under load: nothing is lost, nothing stored twice', async () => {
      const server = await startProxiedServer({ migrate: true })
      const through = await startThroughMosquitto({
        databaseUrl: server.url,
        ownerUrl: server.url,
        env: LONG_HOLD,
      })
      const inFlight = () => through.sourceMetric('messages_in_flight')
      const load = through.load(LOAD)
      await through.service.acknowledges(200)
      await onServer(server.directUrl, async (owner) => {
        await owner.query('BEGIN; LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE')
        await publishMany(through, IN_FLIGHT)
        await until('they are in flight', async () => (await inFlight()) > IN_FLIGHT)
        await through.mosquitto.stop()
        await through.mosquitto.start()
        await until('they have come again', async () => (await inFlight()) > 2 * IN_FLIGHT)
        await through.service.acknowledges(200)
        await server.stop('immediate')
      })
      await through.service.acknowledges(200)
      await server.start()
      await through.service.acknowledges(200)
      await load.stop()
      await through.expectAllStored()
      expect(await through.service.metric('frostguard_readings_duplicate_total')).toBeGreaterThanOrEqual(
        IN_FLIGHT,
      )
      expect(await through.sourceMetric('reconnects_total')).toBeGreaterThan(0)
      await through.close()
      await server.remove()
    })

    test('hubs that are not known fill the receive window again and again while PostgreSQL is silent: none of them waits for its look-up', async () => {
      const server = await startProxiedServer({ migrate: true })
      const through = await startThroughMosquitto({
        databaseUrl: server.url,
        ownerUrl: server.directUrl,
        // Waited for by each window in turn, this would take more than a minute.
        env: { INGEST_HOLD_MS: '3000' },
      })
      const { service } = through
      const acknowledged = () => through.sourceMetric('messages_acknowledged_total')
      server.proxy.setFaults({ toTarget: { isBlackHole: true }, toClient: { isBlackHole: true } })
      await publishMany(through, 1)
      await until('it is known to be away', async () => /^503 /.test(await readReadyz(service)))
      await until('the spool has it', async () => (await acknowledged()) === 1)
      const sent = publishInWindows(through, acknowledged)
      await until('all are acknowledged', async () => (await acknowledged()) === WINDOWS * WINDOW + 1)
      await sent
      server.proxy.setFaults({})
      await untilSettled(service)
      const rejected = 'frostguard_readings_rejected_total{reason="unknown_device"}'
      expect(await service.metric(rejected)).toBe(WINDOWS * WINDOW)
      expect(await service.metric('frostguard_readings_committed_total')).toBe(1)
      await through.close()
      await server.remove()
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

/** A hub of the same site that the service has not heard of yet; returns its key. */
async function addHub({ owner, fleet }: LoadedService): Promise<string> {
  await owner.query(
    `INSERT INTO hubs (organization_id, site_id, key, name, credential_hash) VALUES ($1, $2, 'hub-added', 'Added', 'none')`,
    [fleet.organizationId, fleet.siteId],
  )
  return 'hub-added'
}

/** A reading of a hub at a time that nobody else has; returns that time. */
async function publishAs(hub: string, { mosquitto, service }: ThroughMosquitto): Promise<Date> {
  const device = service.fleet.devices[0]?.devEui ?? ''
  const at = Date.UTC(2026, 0, 1)
  service.ledger.attempted.add(readingKey(device, at))
  const client = await mqtt.connectAsync(mosquitto.url)
  await client.publishAsync(`v1/hubs/${hub}/readings`, JSON.stringify({ device, at, temperature: 4 }), {
    qos: 1,
  })
  await client.endAsync()
  return new Date(at)
}

async function publishInWindows(
  through: ThroughMosquitto,
  acknowledged: () => Promise<number>,
): Promise<void> {
  for (let window = 0; window < WINDOWS; window += 1) {
    const before = await acknowledged()
    await publishMany(through, WINDOW, 'hub-nowhere')
    await until('the window is acknowledged', async () => (await acknowledged()) === before + WINDOW)
  }
}

/** One message of one reading after the other, as fast as Mosquitto acknowledges them. */
async function publishMany(
  { mosquitto, service }: ThroughMosquitto,
  count: number,
  hub = service.fleet.hubs[0]?.key ?? '',
): Promise<void> {
  const { fleet, ledger } = service
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
