/** The primary dies with what its standby has not got yet, and the standby takes over. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { startStandby } from '../db/testing/standby.ts'
import type { TestServer } from '../db/testing/test-server.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'
import { type ProxiedServer, startProxiedServer } from './testing/proxied-server.ts'
import { untilSettled } from './testing/settled.ts'
import { startUrlProxy, type TcpProxy } from './testing/tcp-proxy.ts'

const STATEMENT_TIMEOUT_MS = 1_000
/** Two looks of the service at a database that is away. */
const PROBES_MS = 5_000

interface Pair {
  primary: ProxiedServer
  standby: TestServer
  /** Between the two. */
  replication: TcpProxy
}

async function startPair(): Promise<Pair> {
  const primary = await startProxiedServer({ migrate: true })
  onTestFinished(() => primary.remove())
  const { proxy: replication } = await startUrlProxy(primary.directUrl)
  onTestFinished(() => replication.close())
  const standby = await startStandby(primary, replication.port)
  onTestFinished(() => standby.remove())
  await until('the standby streams', () =>
    onServer(primary.directUrl, async (client) => {
      const { rowCount } = await client.query(`SELECT FROM pg_stat_replication WHERE state = 'streaming'`)
      return rowCount === 1
    }),
  )
  return { primary, standby, replication }
}

/**
 * The replication hangs, the service goes on for a while, with `restarts` over a crash of the primary too; then the
 * primary dies, and the standby takes its place.
 */
async function failOver(
  { primary, standby, replication }: Pair,
  service: LoadedService,
  { restarts = false } = {},
): Promise<void> {
  const load = service.load()
  await service.acknowledges(500)
  replication.setFaults({ toClient: { isBlackHole: true } })
  await service.acknowledges(500)
  // The server gives statements up meanwhile.
  await sleep(3 * STATEMENT_TIMEOUT_MS)
  await service.acknowledges(500)
  if (restarts) {
    await primary.kill()
    await primary.start()
    // What waited for the standby is shown as committed now. The service asks for it meanwhile.
    await sleep(PROBES_MS)
    await service.acknowledges(500)
  }
  await primary.kill()
  await replication.close()
  await onServer(standby.url, (client) => client.query('SELECT pg_promote()'))
  primary.proxy.leadTo({ host: '127.0.0.1', port: Number(new URL(standby.url).port) })
  primary.proxy.reset()
  await service.acknowledges(500)
  await load.stop()
}

async function startService({ primary }: Pair): Promise<LoadedService> {
  const service = await startLoadedService({
    databaseUrl: primary.url,
    env: { ...SHORT_HOLD, DATABASE_STATEMENT_TIMEOUT_MS: String(STATEMENT_TIMEOUT_MS) },
  })
  onTestFinished(() => service.close())
  return service
}

async function requireStandby({ primary }: Pair): Promise<void> {
  await onServer(primary.directUrl, async (client) => {
    await client.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
    await client.query('SELECT pg_reload_conf()')
  })
}

test('a synchronous standby: what was acknowledged is stored there', async () => {
  const pair = await startPair()
  await requireStandby(pair)
  const service = await startService(pair)
  await failOver(pair, service)
  await service.expectAllStored()
})

test('the same when the primary has crashed and come back before', async () => {
  const pair = await startPair()
  await requireStandby(pair)
  const service = await startService(pair)
  await failOver(pair, service, { restarts: true })
  await service.expectAllStored()
})

test('an asynchronous standby: what it had not got is lost, although it was acknowledged, and nothing else', async () => {
  const pair = await startPair()
  const service = await startService(pair)
  await failOver(pair, service)
  await untilSettled(service)
  const compared = await service.compare()
  expect(compared.lost.length).toBeGreaterThan(0)
  expect(compared).toMatchObject({ neverSent: [], storedTwice: [] })
  expect(compared.readingsInBatches).toBe(compared.stored)
  expect(service.hasEnded).toBe(false)
})
