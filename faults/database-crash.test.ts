/** PostgreSQL crashes, restarts and freezes while hubs publish: nothing is lost, and all recovers by itself. */
import { afterAll, beforeAll, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './testing/loaded-service.ts'
import { freezeServer, killBackend } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'

let server: ProxiedServer
let service: LoadedService

beforeAll(async () => {
  server = await startProxiedServer({ migrate: true })
  service = await startLoadedService({ databaseUrl: server.url, env: SHORT_HOLD })
})

afterAll(async () => {
  await service?.close()
  await server?.remove()
})

test('kill -9 of one backend, which ends the sessions of all, again and again', async () => {
  const load = service.load()
  for (const share of [0, 0.5, 0.99]) {
    await service.acknowledges(200)
    // While all of them restart there is none.
    await until('one is killed', () => killBackend(server, share))
  }
  await service.acknowledges(200)
  await load.stop()
  await service.expectAllStored()
})

test('an immediate stop and a start', async () => {
  const load = service.load()
  await service.acknowledges(200)
  await server.stop('immediate')
  await service.acknowledges(200)
  await service.untilNotReady(/503 database away: it has taken nothing for \d+ s/)
  await server.start()
  await service.acknowledges(200)
  await load.stop()
  await service.expectAllStored()
})

test('frozen (SIGSTOP) with connections open, and thawed', async () => {
  const load = service.load()
  await service.acknowledges(200)
  const thaw = freezeServer(server)
  try {
    await service.acknowledges(1_000)
    await service.untilNotReady(/503 database away: .*does not answer/)
  } finally {
    thaw()
  }
  await load.stop()
  await service.expectAllStored()
})
