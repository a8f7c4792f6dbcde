/** Hubs that drain old readings beside live ones, through the whole service; which batch a row came in tells the order. */
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { closeAll, publishPacket, type RawClient } from '../broker/testing.ts'
import { collect, connectRaw, type Receipt } from '../contract/testing/clients.ts'
import { NORTH_HUB, northDevice, spareHub } from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'

const BACKLOG_ROWS_MAX = 100
const OLD_MESSAGES = 30
const READINGS = 20
const DAY_MS = 86_400_000

let service: TestService
let holder: Client
let oldAtMs = Date.now() - 30 * DAY_MS

beforeAll(async () => {
  service = await startTestService({
    env: {
      INGEST_HOLD_MS: '60000',
      // As small for live ones: a batch of all that waits would hide who goes first.
      INGEST_BATCH_ROWS_MAX: String(BACKLOG_ROWS_MAX),
      INGEST_BACKLOG_ROWS_MAX: String(BACKLOG_ROWS_MAX),
    },
  })
})
beforeEach(async () => {
  holder = new Client({ connectionString: service.url })
  await holder.connect()
  await holder.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN ACCESS EXCLUSIVE MODE')
})
afterEach(async () => {
  await closeAll()
  await holder.end()
})
afterAll(() => service.close())

/** Sends old readings of a device; their packet ids count from 1. */
function sendOld(client: RawClient, hub: string, device: string): void {
  const messages = Array.from({ length: OLD_MESSAGES }, (_, index) => {
    const readings = Array.from({ length: READINGS }, () => ({ device, at: ++oldAtMs, temperature: 4 }))
    const payload = JSON.stringify({ boot: 'b', seq: index + 1, readings })
    return publishPacket({ topic: `v1/hubs/${hub}/readings`, messageId: index + 1, payload })
  })
  client.send(...messages)
}

function sendLive(client: RawClient, hub: string, device: string, messageId: number): void {
  const payload = JSON.stringify({ boot: 'b', seq: messageId, device, at: Date.now(), temperature: 5 })
  client.send(publishPacket({ topic: `v1/hubs/${hub}/readings`, messageId, payload }))
}

/** Waits until the readings have arrived, on top of those that had arrived before. */
function arrived(before: number, readings: number): Promise<void> {
  return until(
    `${readings} readings arrived`,
    async () => (await service.metric('frostguard_readings_received_total')) === before + readings,
  )
}

/** Readings of the backlog that were committed in a batch before the one of the live reading. */
async function committedBefore(
  live: string,
  old: readonly string[],
): Promise<{ before: number; all: number }> {
  const [row] = await service.query<{ before: number; all: number }>(
    `SELECT count(*)::int AS all, (count(*) FILTER (WHERE r.batch_id < l.batch_id))::int AS before
     FROM sensor_readings r JOIN devices d ON d.id = r.device_id,
       (SELECT max(batch_id) AS batch_id FROM sensor_readings JOIN devices ON devices.id = device_id
        WHERE device_eui = $1 AND temperature = 5) l
     WHERE d.device_eui = ANY ($2) AND r.temperature = 4`,
    [live, old],
  )
  if (!row) throw new Error('no answer')
  return row
}

test('a live message is committed before old ones of other hubs that arrived long before it', async () => {
  const before = await service.metric('frostguard_readings_received_total')
  const hubs = [0, 1, 2].map((index) => ({ hub: spareHub(index), device: northDevice(index) }))
  const draining = await Promise.all(hubs.map(({ hub }) => connectRaw(service, hub)))
  for (const [index, client] of draining.entries()) {
    const { hub, device } = hubs[index] ?? { hub: '', device: '' }
    sendOld(client, hub, device)
  }
  const old = hubs.length * OLD_MESSAGES * READINGS
  await arrived(before, old)
  expect(await service.metric('frostguard_backlog_messages_total')).toBe(hubs.length * OLD_MESSAGES)
  const live = await connectRaw(service, NORTH_HUB)
  sendLive(live, NORTH_HUB, northDevice(9), 1)
  await arrived(before, old + 1)
  await holder.query('ROLLBACK')
  await live.next('puback')
  for (const client of draining) await client.next('puback', OLD_MESSAGES)
  const order = await committedBefore(
    northDevice(9),
    hubs.map(({ device }) => device),
  )
  expect(order.all).toBe(old)
  expect(order.before).toBeLessThanOrEqual(BACKLOG_ROWS_MAX)
  expect(await service.metric('frostguard_backlog_messages_waiting')).toBe(0)
})

test('a hub’s live message overtakes its own old ones; its PUBACKs come in order, and its receipt in the end', async () => {
  const before = await service.metric('frostguard_readings_received_total')
  const hub = spareHub(3)
  const device = northDevice(20)
  const receipts = await collect<Receipt>(
    await service.connect(hub, { clientId: 'receipts' }),
    `v1/hubs/${hub}/receipt`,
  )
  const client = await connectRaw(service, hub)
  sendOld(client, hub, device)
  await arrived(before, OLD_MESSAGES * READINGS)
  sendLive(client, hub, device, OLD_MESSAGES + 1)
  await arrived(before, OLD_MESSAGES * READINGS + 1)
  await holder.query('ROLLBACK')
  await client.next('puback', OLD_MESSAGES + 1)
  const ids = client.all('puback').map(({ messageId }) => messageId)
  expect(ids).toEqual(Array.from({ length: OLD_MESSAGES + 1 }, (_, index) => index + 1))
  const order = await committedBefore(device, [device])
  expect(order.all).toBe(OLD_MESSAGES * READINGS)
  expect(order.before).toBeLessThanOrEqual(BACKLOG_ROWS_MAX)
  await until('its receipt says all', () => receipts.at(-1)?.json.seq === OLD_MESSAGES + 1)
  // Durable as it was, the live message was not claimed before those ahead of it.
  expect(receipts.map(({ json }) => json.missing)).toEqual(receipts.map(() => undefined))
})
