/** The service ends and comes back, or stands still, while hubs publish; `restart.soak.test.ts` has the long ones. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { closeAll, logInRaw } from '../broker/testing.ts'
import { TEST_SECRET } from '../db/testing/fleet.ts'
import { type RestartedService, startRestartedService } from './testing/restarted-service.ts'
import { NO_DIFFERENCE } from './testing/stored-readings.ts'

let service: RestartedService

afterEach(async () => {
  await closeAll()
  await service.close()
})

test('SIGTERM under load, twice: it ends by itself, nothing acknowledged is lost, nothing stored twice', async () => {
  service = await startRestartedService({ hubs: 10, readingsPerMessage: 5, everyMs: 200 })
  for (let restart = 0; restart < 2; restart++) {
    await service.untilAcknowledged(200)
    service.process.signal('SIGTERM')
    expect(await service.process.ended).toBe(0)
    await service.start()
  }
  await service.untilAcknowledged(200)
  expect(await service.settle()).toEqual(NO_DIFFERENCE)
})

/** Longer than one and a half times the keepalive, than a batch waits for the database, and than a CONNECT may take. */
const STANDSTILL_MS = 5_000

test('a process that stood still for 5 s cuts no hub off that has pinged meanwhile, and goes on', async () => {
  service = await startRestartedService({
    hubs: 20,
    readingsPerMessage: 5,
    everyMs: 100,
    env: { MQTT_CONNECT_TIMEOUT_MS: '1000' },
  })
  const hubs = await Promise.all(
    service.fleet.hubs.map(({ key }) =>
      logInRaw(service.port, {
        username: key,
        password: Buffer.from(TEST_SECRET),
        clientId: `pings ${key}`,
        keepalive: 1,
      }),
    ),
  )
  const pings = setInterval(() => {
    for (const hub of hubs) hub.send({ cmd: 'pingreq' })
  }, 300)
  await service.untilAcknowledged(500)
  service.process.signal('SIGSTOP')
  await sleep(STANDSTILL_MS)
  service.process.signal('SIGCONT')
  await Promise.all(hubs.map((hub) => hub.next('pingresp', hub.all('pingresp').length + 10)))
  clearInterval(pings)
  expect(hubs.filter(({ closed }) => closed)).toEqual([])
  expect(await service.metric('frostguard_broker_keepalive_timeouts_total')).toBe(0)
  await service.untilAcknowledged(500)
  expect(await service.settle()).toEqual(NO_DIFFERENCE)
})
