/** docs/protocol.md, "MQTT": a hub's status and last will. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { connectRaw, publish } from './testing/clients.ts'
import { NORTH_HUB, NORTH_HUB_2, northDevice, SOUTH_HUB } from './testing/fleet.ts'
import { rejectsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

interface HubRow {
  online: boolean
  firmware: string | null
  queued: number | null
  seenAtMs: number | null
}

const will = {
  topic: `v1/hubs/${NORTH_HUB}/status`,
  payload: Buffer.from('{"state":"offline"}'),
  qos: 1 as const,
  retain: false,
}

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(() => sayStatus({ state: 'online' }))
afterEach(closeAll)
afterAll(() => service.close())

async function hubRow(key = NORTH_HUB): Promise<HubRow> {
  const [row] = await service.query<HubRow>(
    `SELECT is_online AS online, firmware_version AS firmware, queued_messages AS queued,
       (extract(epoch FROM last_seen_at) * 1000)::float8 AS "seenAtMs" FROM public.hubs WHERE key = $1`,
    [key],
  )
  if (!row) throw new Error(`no hub ${key}`)
  return row
}

async function sayStatus(payload: unknown, key = NORTH_HUB): Promise<void> {
  const client = await service.connect(key)
  await publish(client, `v1/hubs/${key}/status`, payload)
  await client.endAsync()
}

const hubsConnected = () => service.metric('frostguard_hubs_connected')

describe('{"state":"online"|"offline","firmware"?,"queued"?,"sent_at"?}', () => {
  test('at the moment of the PUBACK the hub has them', async () => {
    const before = Date.now()
    await sayStatus({ state: 'online', firmware: '1.4.2', queued: 17, sent_at: Date.now() })
    const row = await hubRow()
    expect(row).toMatchObject({ online: true, firmware: '1.4.2', queued: 17 })
    expect(row.seenAtMs).toBeGreaterThanOrEqual(before)
  })

  test('offline', async () => {
    await sayStatus({ state: 'offline' })
    expect((await hubRow()).online).toBe(false)
  })

  test('what is absent or null stays as it was', async () => {
    await sayStatus({ state: 'online', firmware: '2.0', queued: 3 })
    await sayStatus({ state: 'online', firmware: null })
    expect(await hubRow()).toMatchObject({ firmware: '2.0', queued: 3 })
  })

  test('a queue that is empty again', async () => {
    await sayStatus({ state: 'online', queued: 3 })
    await sayStatus({ state: 'online', queued: 0 })
    expect((await hubRow()).queued).toBe(0)
  })

  test('it is about this hub alone', async () => {
    await sayStatus({ state: 'online', firmware: '3.1' }, NORTH_HUB_2)
    await sayStatus({ state: 'offline', firmware: '3.2' })
    expect(await hubRow(NORTH_HUB_2)).toMatchObject({ online: true, firmware: '3.1' })
  })

  test.each([
    ['firmware', 'x'.repeat(65)],
    ['firmware', 2],
    ['queued', -1],
    ['queued', '3'],
    ['sent_at', 'now'],
  ])('only state can reject it: %s = %j is ignored and noted', async (field, bad) => {
    await sayStatus({ state: 'online', firmware: '1.0', queued: 1 })
    const noted = await service.metric('frostguard_fields_ignored_total')
    const rejects = await rejectsOf(service, () => sayStatus({ state: 'offline', [field]: bad }))
    expect(rejects).toEqual([])
    expect(await hubRow()).toMatchObject({ online: false, firmware: '1.0', queued: 1 })
    expect(await service.metric('frostguard_fields_ignored_total')).toBe(noted + 1)
  })

  test('a bad state is rejected and changes nothing', async () => {
    const rejects = await rejectsOf(service, () => sayStatus({ state: 'gone', firmware: '9' }))
    expect(rejects).toMatchObject([{ reason: 'invalid', client: NORTH_HUB }])
    expect(rejects[0]?.detail).toContain('state: expected')
    expect((await hubRow()).firmware).not.toBe('9')
  })

  test('a hub that was offline and sends readings is online again', async () => {
    await sayStatus({ state: 'offline' }, SOUTH_HUB)
    expect((await hubRow(SOUTH_HUB)).online).toBe(false)
    const hub = await service.connect(SOUTH_HUB)
    await until('it is online', async () => {
      await publish(hub, `v1/hubs/${SOUTH_HUB}/readings`, { device: northDevice(0), temperature: 1 })
      return (await hubRow(SOUTH_HUB)).online
    })
  })
})

describe("offline is the hub's last will", () => {
  /** Waits until the broker has published so many wills since `before`, and until they are committed. */
  async function willTaken(before: number): Promise<void> {
    await until('the will is taken', async () => (await wills()) > before)
    // A message that is acknowledged later was committed later or with it.
    await publish(await service.connect(NORTH_HUB_2), `v1/hubs/${NORTH_HUB_2}/readings`, {
      device: northDevice(1),
      at: nextTime(),
      temperature: 1,
    })
  }
  const wills = () => service.metric('frostguard_broker_wills_accepted_total')

  test('a connection that breaks makes the hub offline', async () => {
    await until('nobody is connected', async () => (await hubsConnected()) === 0)
    const hub = await connectRaw(service, NORTH_HUB, { clientId: 'breaks', will })
    await hub.close()
    await until('it is offline', async () => !(await hubRow()).online)
  })

  test('a clean DISCONNECT does not', async () => {
    const before = await wills()
    const hub = await connectRaw(service, NORTH_HUB, { clientId: 'leaves', will })
    hub.send({ cmd: 'disconnect' })
    await hub.untilClosed()
    expect(await wills()).toBe(before)
    expect((await hubRow()).online).toBe(true)
  })

  test('a will counts only if no other connection of that hub lives', async () => {
    const before = await wills()
    const stays = await connectRaw(service, NORTH_HUB, { clientId: 'stays' })
    const breaks = await connectRaw(service, NORTH_HUB, { clientId: 'breaks-too', will })
    await breaks.close()
    await willTaken(before)
    expect((await hubRow()).online).toBe(true)
    expect(stays.closed).toBe(false)
  })

  test('a hub that comes back before its old connection was found dead stays online', async () => {
    const before = await wills()
    const old = await connectRaw(service, NORTH_HUB, { clientId: 'same', will })
    await connectRaw(service, NORTH_HUB, { clientId: 'same', will })
    await old.untilClosed()
    await willTaken(before)
    expect((await hubRow()).online).toBe(true)
  })
})
