/** Hubs that send again everything that they sent before: stored once, at a price that is bounded. */
import { expect, onTestFinished, test } from 'vitest'
import { cpuSecondsOf, cpuSecondsOfFamily } from '../bench/processes/usage.ts'
import { startTestServer } from '../db/testing/test-server.ts'
import { startLoadedService } from './testing/loaded-service.ts'
import { SteadyFleet } from './testing/steady-fleet.ts'

const HUBS = 200
const SENSORS = 20
const WARM_UP_MESSAGES = 20
const MESSAGES = 100
const IN_FLIGHT = 10
/** The work for a reading that is stored already, against that for a new one. */
const COST_MAX = 2

test('a stream that comes again costs at most twice the CPU of a new one, and is stored once', async () => {
  const server = await startTestServer({ migrate: true })
  onTestFinished(() => server.remove())
  const service = await startLoadedService({
    databaseUrl: server.url,
    fleet: { hubs: HUBS, devices: HUBS * SENSORS },
    // Nothing goes to the spool, however busy the machine is.
    env: { INGEST_HOLD_MS: '60000' },
  })
  onTestFinished(() => service.close())
  const fleet = new SteadyFleet(service.fleet, service.mqttPort)
  onTestFinished(() => fleet.end())
  await fleet.connected()
  await fleet.publish(WARM_UP_MESSAGES, IN_FLIGHT)

  const cost = async () => {
    const seconds = () => ({
      service: cpuSecondsOf(service.pid) ?? Number.NaN,
      database: cpuSecondsOfFamily(server.pid) ?? Number.NaN,
    })
    const before = seconds()
    const startedAt = performance.now()
    await fleet.publish(MESSAGES, IN_FLIGHT)
    const elapsed = (performance.now() - startedAt) / 1_000
    const after = seconds()
    return {
      elapsed,
      service: after.service - before.service,
      database: after.database - before.database,
      get sum() {
        return this.service + this.database
      },
    }
  }
  const fresh = await cost()
  const made = fleet.readings
  fleet.repeat()
  await fleet.publish(WARM_UP_MESSAGES, IN_FLIGHT)
  const repeated = await cost()

  for (const [name, { elapsed, service: own, database, sum }] of Object.entries({ fresh, repeated })) {
    const figures = [own, database, sum, elapsed].map((seconds) => seconds.toFixed(1)).join(', ')
    process.stdout.write(`  ${name}: CPU seconds of service, database, both; seconds: ${figures}\n`)
  }
  process.stdout.write(
    `  a reading that is stored already costs ${(repeated.sum / fresh.sum).toFixed(2)} of a new one\n`,
  )
  expect(await fleet.compare(service.owner)).toEqual({ missing: 0, phantom: 0, stored: made })
  expect(await service.metric('frostguard_readings_duplicate_total')).toBe(made)
  expect(await service.metric('frostguard_readings_imbalance')).toBe(0)
  expect(repeated.sum / fresh.sum).toBeLessThan(COST_MAX)
})
