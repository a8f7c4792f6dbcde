/** The database lives and refuses the service: hubs go on, /readyz says why, and when it is mended all is stored. */
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { startTestServer, type TestServer } from '../db/testing/test-server.ts'
import { type LoadedService, SHORT_HOLD, startLoadedService } from './testing/loaded-service.ts'
import { onServer } from './testing/postgres.ts'

const ROLE = 'ingest'

let server: TestServer
let service: LoadedService

async function asOwner(...statements: string[]): Promise<void> {
  await onServer(server.url, async (client) => {
    for (const sql of statements) await client.query(sql)
  })
}

const endSessions = () =>
  asOwner(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`)

beforeAll(async () => {
  server = await startTestServer({
    migrate: true,
    parameters: { max_connections: '24', superuser_reserved_connections: '6' },
  })
  await asOwner(
    `CREATE ROLE ${ROLE} LOGIN PASSWORD 'first'`,
    ...['public', 'pipeline'].flatMap((schema) => [
      `GRANT USAGE ON SCHEMA ${schema} TO ${ROLE}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${ROLE}`,
      `GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${ROLE}`,
    ]),
  )
  const url = new URL(server.url)
  url.username = ROLE
  url.password = 'first'
  service = await startLoadedService({
    databaseUrl: url.href,
    ownerUrl: server.url,
    // One lane: then one connection of its own is enough to go on.
    env: { ...SHORT_HOLD, DATABASE_DIRECT_URL: server.url, INGEST_LANES: '1' },
  })
})

afterAll(async () => {
  await service?.close()
  await server?.remove()
})

let load: { stop(): Promise<void> }

beforeEach(async () => {
  load = service.load()
  await service.acknowledges(100)
})

async function recovers(): Promise<void> {
  await service.acknowledges(100)
  await load.stop()
  await service.expectAllStored()
}

test('the role has lost INSERT', async () => {
  await asOwner(`REVOKE INSERT ON sensor_readings FROM ${ROLE}`)
  await service.untilNotReady(/503 database away: .*it refuses our user a right: GRANT it \(42501, .*spool/)
  await service.acknowledges(200)
  await asOwner(`GRANT INSERT ON sensor_readings TO ${ROLE}`)
  await recovers()
})

test('its password was changed', async () => {
  await asOwner(`ALTER ROLE ${ROLE} PASSWORD 'second'`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*it refuses the user or the password \(28P01\).*spool/)
  await service.acknowledges(200)
  await asOwner(`ALTER ROLE ${ROLE} PASSWORD 'first'`)
  await recovers()
})

test('it may not log in any more', async () => {
  await asOwner(`ALTER ROLE ${ROLE} NOLOGIN`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*\(28000\).*spool/)
  await service.acknowledges(200)
  await asOwner(`ALTER ROLE ${ROLE} LOGIN`)
  await recovers()
})

test('it has no connection left to open', async () => {
  await asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT 0`)
  await endSessions()
  await service.untilNotReady(/503 database away: .*all its connections are taken \(53300\).*spool/)
  await service.acknowledges(200)
  await asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`)
  await recovers()
})

test('with one connection for everything it goes on', async () => {
  await asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT 1`)
  await endSessions()
  await service.acknowledges(500)
  await asOwner(`ALTER ROLE ${ROLE} CONNECTION LIMIT -1`)
  await recovers()
})

test('others take all connections: it keeps its own, and commits', async () => {
  await load.stop()
  await service.expectAllStored()
  // Longer than pg-pool keeps an idle connection.
  await asOwner('SELECT pg_sleep(11)')
  const before = await service.metric('frostguard_readings_committed_total')
  const others = await takeAllConnections()
  load = service.load()
  await until('readings are committed', async () => {
    const committed = await service.metric('frostguard_readings_committed_total')
    return committed >= before + 500
  })
  await others.end()
  await recovers()
})

/** Sessions of somebody else's until there is no place for one more. */
async function takeAllConnections(): Promise<{ end(): Promise<void> }> {
  await asOwner(`CREATE ROLE others LOGIN PASSWORD 'x'`)
  const url = new URL(server.url)
  url.username = 'others'
  url.password = 'x'
  const clients: Client[] = []
  for (;;) {
    const client = new Client({ connectionString: url.href })
    client.on('error', () => {})
    try {
      await client.connect()
      clients.push(client)
    } catch (error) {
      expect(error).toMatchObject({ code: '53300' })
      return { end: async () => void (await Promise.all(clients.map((each) => each.end()))) }
    }
  }
}
