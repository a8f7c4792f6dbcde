/** Rows that the database cannot take, and times far away: each is set aside alone, also out of the spool. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publishPacket, type RawClient } from '../broker/testing.ts'
import { connectRaw } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice } from '../contract/testing/fleet.ts'
import { readingsOf, rejectsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { nextTime } from '../contract/testing/times.ts'
import { startTestServer, type TestServer } from '../db/testing/test-server.ts'
import { untilSettled } from './testing/settled.ts'

const DAY_MS = 86_400_000
/** Refused by a constraint of the test's own: the service sees nothing wrong in it. */
const POISON = 13.25

let server: TestServer
let service: TestService
let hub: RawClient
let messageId = 0

beforeAll(async () => {
  server = await startTestServer({ migrate: true })
  service = await startTestService({ databaseUrl: server.url, env: { INGEST_HOLD_MS: '300' } })
  await service.query(`ALTER TABLE sensor_readings ADD CONSTRAINT poison CHECK (temperature <> ${POISON})`)
  hub = await connectRaw(service, NORTH_HUB)
})

afterAll(async () => {
  await service?.close()
  await server?.remove()
})

/** Publishes messages at once, and resolves when the last is acknowledged. */
async function publish(...messages: { device: string; at: number; temperature: number }[][]): Promise<void> {
  for (const readings of messages) {
    messageId += 1
    const payload = JSON.stringify({ readings })
    hub.send(publishPacket({ topic: `v1/hubs/${NORTH_HUB}/readings`, payload, messageId }))
  }
  await hub.next('puback', messageId)
}

/** Five messages of a device, one reading of the third is poison. */
function messagesWithPoison(device: string) {
  return [1, 2, 3, 4, 5].map((message) =>
    [1, 2, 3].map((item) => ({
      device,
      at: nextTime(),
      temperature: message === 3 && item === 2 ? POISON : message,
    })),
  )
}

test('a row that PostgreSQL refuses is kept with its SQLSTATE; its neighbours are stored', async () => {
  const device = northDevice(1)
  const rejects = await rejectsOf(service, async () => {
    await publish(...messagesWithPoison(device))
    await untilSettled(service)
  })
  expect(rejects).toMatchObject([{ reason: 'invalid', item: 1, detail: expect.stringContaining('poison') }])
  expect((await readingsOf(service, device)).map(({ temperature }) => temperature)).toEqual([
    1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5,
  ])
})

test('the same out of the spool', async () => {
  const device = northDevice(2)
  const rejects = await rejectsOf(service, async () => {
    await server.stop('immediate')
    await publish(...messagesWithPoison(device))
    expect(await service.metric('frostguard_readings_spooled')).toBe(15)
    await server.start()
    await untilSettled(service)
  })
  expect(rejects).toMatchObject([{ reason: 'invalid', item: 1, detail: expect.stringContaining('poison') }])
  expect(await readingsOf(service, device)).toHaveLength(14)
  const states = await service.query(`SELECT DISTINCT sqlstate FROM pipeline.rejected_messages`)
  expect(states).toEqual([{ sqlstate: '23514' }])
})

test('1970, 2000 and a year ahead are rejected for their clock; five years ago is stored, as are the neighbours', async () => {
  const device = northDevice(3)
  const nowMs = Date.now()
  const times = [0, Date.UTC(2000, 0, 1), nowMs - 5 * 365 * DAY_MS, nowMs, nowMs + 400 * DAY_MS]
  const rejects = await rejectsOf(service, async () => {
    await publish(times.map((at) => ({ device, at, temperature: 4 })))
    await untilSettled(service)
  })
  expect(rejects.map(({ reason, item }) => [reason, item])).toEqual([
    ['clock', 0],
    ['clock', 1],
    ['clock', 4],
  ])
  expect((await readingsOf(service, device)).map(({ atMs }) => atMs)).toEqual(times.slice(2, 4))
})
