/** The long ones of `sources.test.ts`. */
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { MOSQUITTO_MISSING } from '../ingest/sources/testing/mosquitto.ts'
import { SHORT_HOLD } from './testing/loaded-service.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { startThroughMosquitto, type ThroughMosquitto } from './testing/through-mosquitto.ts'

const LOAD = { readingsPerMessage: 5, everyMs: 20 }
const ROUNDS = 5
/** The least that the setting takes. */
const HELD_BYTES_MAX = 1_048_576
/** One message more than the limit may be held. */
const MESSAGE_BYTES_MAX = 16_384

describe.skipIf(MOSQUITTO_MISSING)(
  `through Mosquitto${MOSQUITTO_MISSING ? `: ${MOSQUITTO_MISSING}` : ''}`,
  () => {
    let server: ProxiedServer | undefined
    let database: TestDatabase | undefined
    let through: ThroughMosquitto | undefined

    afterEach(async () => {
      await through?.close()
      await server?.remove()
      await database?.drop()
      through = undefined
      server = undefined
      database = undefined
    })

    test('Mosquitto, PostgreSQL and FrostGuard end in turn, again and again, under load: nothing is lost, nothing stored twice', async () => {
      server = await startProxiedServer({ migrate: true })
      through = await startThroughMosquitto({
        databaseUrl: server.url,
        ownerUrl: server.url,
        env: SHORT_HOLD,
      })
      const { service, mosquitto } = through
      const load = through.load(LOAD)
      for (let round = 0; round < ROUNDS; round += 1) {
        await service.acknowledges(1_000)
        await mosquitto.stop()
        await mosquitto.start()
        await service.acknowledges(1_000)
        await server.stop('immediate')
        await service.acknowledges(1_000)
        // It ends with messages in its spool, and others in flight.
        await service.end(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
        await server.start()
        await service.acknowledges(1_000)
        await service.start()
      }
      await load.stop()
      await through.expectAllStored()
    })

    test('what has gathered while FrostGuard was away is read within its limit of memory', async () => {
      through = await startThroughMosquitto({
        env: { INGEST_SOURCES_HELD_BYTES_MAX: String(HELD_BYTES_MAX) },
      })
      const { service } = through
      await service.end('SIGKILL')
      const load = through.load({ readingsPerMessage: 20, everyMs: 5 })
      await service.acknowledges(200_000)
      await load.stop()
      await service.start()
      let heldMax = 0
      await until('the backlog is read', async () => {
        heldMax = Math.max(heldMax, await service.metric('frostguard_sources_held_bytes'))
        return (await service.compare()).lost.length === 0
      })
      await through.expectAllStored()
      expect(heldMax).toBeGreaterThan(HELD_BYTES_MAX / 2)
      expect(heldMax).toBeLessThan(HELD_BYTES_MAX + MESSAGE_BYTES_MAX)
    })

    test('of two processes on one subscription one is killed and started again, under load: its part waits for it, and nothing is lost', async () => {
      database = await createTestDatabase()
      through = await startThroughMosquitto({ databaseUrl: database.url, isShared: true })
      const { service } = through
      const other = await through.startAnother()
      const load = through.load(LOAD)
      for (let round = 0; round < ROUNDS; round += 1) {
        await service.acknowledges(1_000)
        await service.end('SIGKILL')
        await service.acknowledges(1_000)
        await service.start()
      }
      await load.stop()
      await through.expectAllStored()
      expect(await through.sourceMetric('messages_received_total', other)).toBeGreaterThan(0)
    })
  },
)
