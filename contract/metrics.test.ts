/** docs/protocol.md, "Running": metrics. */
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { closeAll, publishPacket, randomSeed, seeded } from '../broker/testing.ts'
import { until } from '../db/testing/poll.ts'
import { connectRaw, publish } from './testing/clients.ts'
import {
  NORTH_HUB,
  NORTH_HUB_2,
  northDevice,
  SELF_DEVICE,
  SOUTH_DEVICE,
  SOUTH_HUB,
  UNKNOWN_DEVICE,
} from './testing/fleet.ts'
import { readingsOf } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { readMetrics, sampleOf } from './testing/status-page.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const device = northDevice(0)
const REASONS = ['malformed', 'invalid', 'unknown_device', 'not_your_device', 'clock', 'too_large']

let service: TestService

beforeAll(async () => {
  service = await startTestService()
})
afterEach(closeAll)
afterAll(() => service.close())

/** How much each of these metrics grows by an action; those that stay as they were are left out. */
async function growth(action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await readMetrics(service)
  await action()
  const after = await readMetrics(service)
  const counted = /^frostguard_(messages|readings|door_events)_/
  const grown = [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const)
  return Object.fromEntries(
    grown
      .filter(([name, by]) => counted.test(name) && by !== 0)
      .map(([name, by]) => [name.replace('frostguard_', ''), by]),
  )
}

describe('every metric is there, with its type', () => {
  const each = (subject: string): [string, string][] => [
    [`${subject}_received_total`, 'counter'],
    [`${subject}_committed_total`, 'counter'],
    [`${subject}_duplicate_total`, 'counter'],
    ...REASONS.map((reason): [string, string] => [
      `${subject}_rejected_total{reason="${reason}"}`,
      'counter',
    ]),
    [`${subject}_spooled_total`, 'counter'],
    [`${subject}_in_flight`, 'gauge'],
    [`${subject}_spooled`, 'gauge'],
  ]
  test.each([
    ['messages_received_total', 'counter'],
    ...each('readings'),
    ...each('door_events'),
    ['copy_seconds', 'histogram'],
    ['copy_rows', 'histogram'],
    ['acknowledge_seconds', 'histogram'],
    ['evaluate_seconds', 'histogram'],
    ['alerts_open{severity="info"}', 'gauge'],
    ['alerts_open{severity="warning"}', 'gauge'],
    ['alerts_open{severity="critical"}', 'gauge'],
    ['hubs_connected', 'gauge'],
    ['spool_bytes', 'gauge'],
  ])('frostguard_%s: %s', async (name, type) => {
    const page = await (await service.get('/metrics')).text()
    const [bare] = name.split('{')
    expect(page).toContain(`# TYPE frostguard_${bare} ${type}\n`)
    const sample = type === 'histogram' ? `frostguard_${name}_count` : `frostguard_${name}`
    expect([...(await readMetrics(service)).keys()]).toContain(sample)
  })
})

describe('what is counted', () => {
  test('a message and its readings', async () => {
    const hub = await service.connect(NORTH_HUB)
    const readings = [1, 2, 3].map((temperature) => ({ device, at: nextTime(), temperature }))
    expect(await growth(() => publish(hub, READINGS, { readings }))).toEqual({
      messages_received_total: 1,
      readings_received_total: 3,
      readings_committed_total: 3,
    })
    expect(await growth(() => publish(hub, READINGS, { readings }))).toEqual({
      messages_received_total: 1,
      readings_received_total: 3,
      readings_duplicate_total: 3,
    })
  })

  test('door events likewise', async () => {
    const hub = await service.connect(NORTH_HUB)
    const events = ['open', 'closed', 'ajar'].map((state) => ({ device, at: nextTime(), state }))
    expect(await growth(() => publish(hub, DOORS, { events }))).toEqual({
      messages_received_total: 1,
      door_events_received_total: 3,
      door_events_committed_total: 2,
      'door_events_rejected_total{reason="invalid"}': 1,
    })
  })

  test.each([
    ['malformed', 'not JSON'],
    ['invalid', { readings: [] }],
    ['invalid', Array.from({ length: 1_001 }, () => ({ device, temperature: 1 }))],
    ['too_large', ' '.repeat(300_000)],
  ])('a message rejected whole (%s) counts as one received and one rejected', async (reason, payload) => {
    const hub = await service.connect(NORTH_HUB)
    expect(await growth(() => publish(hub, READINGS, payload))).toEqual({
      messages_received_total: 1,
      readings_received_total: 1,
      [`readings_rejected_total{reason="${reason}"}`]: 1,
    })
  })

  test('a rejected reading by its reason, beside those that are stored', async () => {
    const hub = await service.connect(NORTH_HUB)
    const reading = () => ({ device, at: nextTime(), temperature: 1 })
    const readings = [
      reading(),
      { ...reading(), temperature: 999 },
      { ...reading(), device: UNKNOWN_DEVICE },
      { ...reading(), device: SOUTH_DEVICE },
      { ...reading(), at: 5 },
    ]
    expect(await growth(() => publish(hub, READINGS, { readings }))).toEqual({
      messages_received_total: 1,
      readings_received_total: 5,
      readings_committed_total: 1,
      'readings_rejected_total{reason="invalid"}': 1,
      'readings_rejected_total{reason="unknown_device"}': 1,
      'readings_rejected_total{reason="not_your_device"}': 1,
      'readings_rejected_total{reason="clock"}': 1,
    })
  })

  test('a status message is a message and no reading', async () => {
    const hub = await service.connect(NORTH_HUB)
    const status = { state: 'online' }
    expect(await growth(() => publish(hub, `v1/hubs/${NORTH_HUB}/status`, status))).toEqual({
      messages_received_total: 1,
    })
  })

  test('histograms: a COPY with its rows, and an acknowledgement', async () => {
    const before = await readMetrics(service)
    const hub = await service.connect(NORTH_HUB)
    const readings = Array.from({ length: 7 }, () => ({ device, at: nextTime(), temperature: 1 }))
    await publish(hub, READINGS, readings)
    const after = await readMetrics(service)
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    expect(grown('frostguard_copy_seconds_count')).toBe(1)
    expect(grown('frostguard_copy_rows_count')).toBe(1)
    expect(grown('frostguard_copy_rows_sum')).toBe(7)
    expect(grown('frostguard_acknowledge_seconds_count')).toBe(1)
    expect(grown('frostguard_acknowledge_seconds_sum')).toBeGreaterThan(0)
  })

  test('hubs connected: hubs, not connections, devices or operators', async () => {
    const connected = () => service.metric('frostguard_hubs_connected')
    await until('nobody is connected', async () => (await connected()) === 0)
    await service.connect(NORTH_HUB)
    await service.connect(NORTH_HUB)
    const other = await service.connect(NORTH_HUB_2)
    await service.connect(`device:${SELF_DEVICE}`)
    await service.connect('operator:acme')
    expect(await connected()).toBe(2)
    await other.endAsync()
    await until('one has gone', async () => (await connected()) === 1)
  })
})

describe('readings_in_flight', () => {
  let blocker: Client

  beforeAll(async () => {
    blocker = new Client({ connectionString: service.url })
    await blocker.connect()
  })
  afterAll(() => blocker.end())

  test('received and not yet durable: they are not acknowledged either', async () => {
    await blocker.query('BEGIN; LOCK TABLE public.sensor_readings IN ACCESS EXCLUSIVE MODE')
    const hub = await connectRaw(service, NORTH_HUB)
    const own = northDevice(1)
    for (const messageId of [1, 2]) {
      const readings = [1, 2].map((temperature) => ({ device: own, at: nextTime(), temperature }))
      hub.send(publishPacket({ topic: READINGS, payload: JSON.stringify(readings), messageId }))
    }
    const inFlight = () => service.metric('frostguard_readings_in_flight')
    await until('they are in flight', async () => (await inFlight()) === 4)
    await expectBalance()
    expect(hub.all('puback')).toEqual([])
    await blocker.query('ROLLBACK')
    await hub.next('puback', 2)
    expect(await readingsOf(service, own)).toHaveLength(4)
    expect(await inFlight()).toBe(0)
    await expectBalance()
  })
})

test('at any quiet moment received = committed + duplicate + rejected + in the spool + in flight', async () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T
  const times = Array.from({ length: 30 }, nextTime)
  const items = () =>
    Array.from({ length: Math.floor(random() * 12) }, () => ({
      device: pick([device, device, northDevice(2), SOUTH_DEVICE, UNKNOWN_DEVICE, 'x']),
      at: pick([...times, undefined, 5, 'now']),
      temperature: pick([1, 2, 500, undefined]),
      state: pick(['open', 'closed', 'ajar']),
    }))
  const payload = () =>
    pick([items(), { readings: items() }, { events: items() }, 'not JSON', items()[0] ?? 7])
  const hubs = [await service.connect(NORTH_HUB), await service.connect(SOUTH_HUB)]
  const keys = [NORTH_HUB, SOUTH_HUB]
  await Promise.all(
    Array.from({ length: 150 }, () => {
      const index = pick([0, 1])
      const topic = `v1/hubs/${keys[index]}/${pick(['readings', 'doors'])}`
      return publish(hubs[index] as (typeof hubs)[0], topic, payload())
    }),
  )
  await expectBalance(`seed ${seed}`)
  expect((await service.get('/readyz')).status).toBe(200)
})

async function expectBalance(message = 'the books'): Promise<void> {
  const all = await readMetrics(service)
  const value = (name: string) => sampleOf(all, `frostguard_${name}`)
  for (const subject of ['readings', 'door_events']) {
    const rejected = REASONS.map((reason) => value(`${subject}_rejected_total{reason="${reason}"}`))
    const settled = ['committed_total', 'duplicate_total', 'spooled', 'in_flight'].map((name) =>
      value(`${subject}_${name}`),
    )
    const sum = [...rejected, ...settled].reduce((total, count) => total + count, 0)
    expect(sum, `${message}: ${subject}`).toBe(value(`${subject}_received_total`))
    expect(sum).toBeGreaterThan(0)
  }
}
