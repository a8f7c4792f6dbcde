import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { logInRaw, type RawClient } from '../../broker/testing.ts'
import { TEST_SECRET } from '../../db/testing/fleet.ts'
import { type LoadedService, startLoadedService } from './loaded-service.ts'

const KEEPALIVE_SECONDS = 1
const PING_MS = 300
const RETRY_MS = 50

/** A service whose time limits are all shorter than two seconds: it is to stand still for longer. */
export function startImpatientService(): Promise<LoadedService> {
  return startLoadedService({
    fleet: { hubs: 20, devices: 100 },
    env: { MQTT_CONNECT_TIMEOUT_MS: '1000', INGEST_HOLD_MS: '1000' },
  })
}

/** The service stands still while hubs publish and ping: none that has pinged is cut off, and nothing is lost. */
export async function expectToGoOnAfter(standstillMs: number, service: LoadedService): Promise<void> {
  const load = service.load({ everyMs: 100 })
  const hubs: RawClient[] = []
  const pings = setInterval(() => {
    for (const hub of hubs) hub.send({ cmd: 'pingreq' })
  }, PING_MS)
  await Promise.all(service.fleet.hubs.map(async ({ key }) => hubs.push(await logIn(service, key))))
  await service.acknowledges(500)
  service.signal('SIGSTOP')
  await sleep(standstillMs)
  service.signal('SIGCONT')
  await Promise.all(hubs.map((hub) => hub.next('pingresp', hub.all('pingresp').length + 10)))
  clearInterval(pings)
  expect(hubs.filter(({ closed }) => closed)).toEqual([])
  expect(await service.metric('frostguard_broker_keepalive_timeouts_total')).toBe(0)
  await service.acknowledges(500)
  await load.stop()
  await service.expectAllStored()
}

/** Tries until it is in, as hubs do: on a busy machine a log-in may take longer than it may here. */
async function logIn({ mqttPort }: LoadedService, key: string): Promise<RawClient> {
  const fields = { username: key, password: Buffer.from(TEST_SECRET), clientId: `pings ${key}` }
  for (;;) {
    const hub = await logInRaw(mqttPort, { ...fields, keepalive: KEEPALIVE_SECONDS }).catch(() => undefined)
    if (hub?.all('connack')[0]?.returnCode === 0) return hub
    await sleep(RETRY_MS)
  }
}
