/** Uplinks of a network server while the database takes and says nothing: acknowledged out of the spool, stored once. */
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish } from '../contract/testing/clients.ts'
import { NETWORK_SERVER, northDevice, UNKNOWN_DEVICE } from '../contract/testing/fleet.ts'
import { doorEventsOf, readingsOf, rejectsOf } from '../contract/testing/rows.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { chirpStackUp } from '../ingest/decode/lora/testing/uplinks.ts'
import { untilSettled } from './testing/settled.ts'

const DEVICE = northDevice(1)

let service: TestService

beforeAll(async () => {
  service = await startTestService({ env: { INGEST_HOLD_MS: '300' } })
})
afterAll(() => service.close())

test('readings and door events of one uplink, its frame again, and one of an unknown sensor that cannot be looked up', async () => {
  const server = await service.connect(`ns:${NETWORK_SERVER}`)
  const up = (devEui: string, time: string) =>
    publish(
      server,
      `application/1/device/${devEui}/event/up`,
      chirpStackUp({ devEui, time, bytes: '0367', decoded: { temperature: 4.4, door: 'open' } }),
    )
  const locker = new Client({ connectionString: service.url })
  await locker.connect()
  const rejects = await rejectsOf(service, async () => {
    try {
      await locker.query(
        'BEGIN; LOCK TABLE public.devices, public.sensor_readings, public.door_events IN ACCESS EXCLUSIVE MODE',
      )
      await Promise.all([up(DEVICE, '2026-01-01T00:00:00Z'), up(UNKNOWN_DEVICE, '2026-01-01T00:00:00Z')])
      await up(DEVICE, '2026-01-01T00:00:02Z')
      expect(await service.metric('frostguard_readings_spooled_total')).toBe(3)
      expect(await service.metric('frostguard_door_events_spooled_total')).toBe(3)
    } finally {
      await locker.end()
    }
    await untilSettled(service)
  })

  expect(await readingsOf(service, DEVICE)).toMatchObject([
    { atMs: Date.parse('2026-01-01T00:00:00Z'), temperature: 4.4 },
  ])
  expect(await doorEventsOf(service, DEVICE)).toMatchObject([
    { atMs: Date.parse('2026-01-01T00:00:00Z'), state: 'open' },
  ])
  expect(rejects).toMatchObject([{ reason: 'unknown_device' }, { reason: 'unknown_device' }])
  for (const account of ['readings', 'door_events']) {
    expect(await service.metric(`frostguard_${account}_imbalance`)).toBe(0)
    expect(await service.metric(`frostguard_${account}_duplicate_total`)).toBe(1)
    expect(await service.metric(`frostguard_${account}_committed_total`)).toBe(1)
    expect(await service.metric(`frostguard_${account}_rejected_total{reason="unknown_device"}`)).toBe(1)
  }
})
