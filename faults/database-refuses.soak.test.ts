/** As `database-refuses.test.ts`, for longer than a connection stays open that nobody uses. */
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { ROLE, type ServiceWithRole, startServiceWithRole } from './testing/service-with-role.ts'

let stage: ServiceWithRole

beforeAll(async () => {
  stage = await startServiceWithRole()
})

afterAll(() => stage?.close())

test('others take all connections: it keeps its own, and commits', async () => {
  const { service } = stage
  const before = service.load()
  await service.acknowledges(100)
  await before.stop()
  await service.expectAllStored()
  // Longer than pg-pool keeps an idle connection.
  await stage.asOwner('SELECT pg_sleep(11)')
  const committed = () => service.metric('frostguard_readings_committed_total')
  const goal = (await committed()) + 500
  const others = await takeAllConnections()
  const own = await sessions()
  const load = service.load()
  await until('readings are committed', async () => (await committed()) >= goal)
  expect(own).toEqual(expect.arrayContaining(await sessions()))
  await others.end()
  await service.acknowledges(100)
  await load.stop()
  await service.expectAllStored()
})

/** Process ids of the service's sessions. */
async function sessions(): Promise<number[]> {
  const { rows } = await stage.service.owner.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE usename = '${ROLE}'`,
  )
  return rows.map(({ pid }) => pid)
}

/** Sessions of somebody else's until there is no place for one more. */
async function takeAllConnections(): Promise<{ end(): Promise<void> }> {
  await stage.asOwner(`CREATE ROLE others LOGIN PASSWORD 'x'`)
  const clients: Client[] = []
  for (;;) {
    const client = new Client({ connectionString: stage.urlOf('others', 'x') })
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
