/** docs/protocol.md, "Rejected": they can be replayed when the cause is mended. */
import type { MqttClient } from 'mqtt'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { closeAll } from '../broker/testing.ts'
import { publishRoute } from '../broker/topics.ts'
import type { RejectedFilter } from '../db/replay/pages.ts'
import { replayRejected } from '../ingest/replay/replay.ts'
import { openTally, type ReplayTally } from '../ingest/replay/tally.ts'
import { runReplay } from '../ingest/replay/testing/run-replay.ts'
import { publish } from './testing/clients.ts'
import {
  acmeFleet,
  device as fleetDevice,
  NORTH_HUB,
  NORTH_HUB_2,
  northDevice,
  RIVAL_HUB,
  rivalFleet,
  SOUTH_HUB,
  unitOf,
} from './testing/fleet.ts'
import { doorEventsOf, readingsOf, rejectsOf, type StoredReject } from './testing/rows.ts'
import { startTestService, type TestService } from './testing/service.ts'
import { nextTime } from './testing/times.ts'

const READINGS = `v1/hubs/${NORTH_HUB}/readings`
const DOORS = `v1/hubs/${NORTH_HUB}/doors`
const STATUS = `v1/hubs/${NORTH_HUB}/status`
/** Of devices that are in the fleet from the start. */
const KNOWN = northDevice(0)

let service: TestService
let hub: MqttClient
const fleet = acmeFleet()
let lateDevices = 0

beforeAll(async () => {
  service = await startTestService()
})
beforeEach(async () => {
  await service.query('TRUNCATE pipeline.rejected_messages, pipeline.rejected_payloads')
  hub = await service.connect(NORTH_HUB)
})
afterEach(closeAll)
afterAll(() => service.close())

/** A DevEUI that no fleet has yet. */
function lateDevice(): string {
  lateDevices += 1
  return `70b3d57ed0${lateDevices.toString(16).padStart(6, '0')}`
}

/** What `fleet:apply` does with a fleet file that has this device too. */
async function addDevice(devEui: string, place = { unit: 'Cooler', hub: NORTH_HUB }): Promise<void> {
  unitOf(fleet, place.unit).devices.push(fleetDevice(devEui, place.hub))
  await service.applyFleet(fleet)
}

function replay(filter: RejectedFilter = {}, options: { limit?: number; dryRun?: boolean } = {}) {
  return replayRejected({
    pool: service.db.$client,
    routeOf: publishRoute,
    filter,
    limit: options.limit ?? Number.POSITIVE_INFINITY,
    dryRun: options.dryRun ?? false,
    statementTimeoutMs: 30_000,
  })
}

function tally(change: Partial<ReplayTally>): ReplayTally {
  return { ...openTally(), ...change }
}

function rejected(): Promise<
  { reason: string; item: number | null; detail: string; sqlstate: string | null }[]
> {
  return service.query('SELECT reason, item, detail, sqlstate FROM pipeline.rejected_messages ORDER BY id')
}

async function payloadsKept(): Promise<number> {
  return (await service.query('SELECT 1 FROM pipeline.rejected_payloads')).length
}

test('a device that was unknown: after fleet:apply, the command stores what it sent, as it would have been', async () => {
  const device = lateDevice()
  const at = nextTime()
  const reading = { device, at, temperature: 3.5, humidity: 51.5, battery: 88, rssi: -91, snr: 7.5 }
  const before = await rejectsOf(service, () =>
    publish(hub, READINGS, {
      boot: 'b',
      seq: 1,
      readings: [reading, { device, at: at + 1, fault: 'stuck' }],
    }),
  )
  expect(before.map(({ reason }) => reason)).toEqual(['unknown_device', 'unknown_device'])
  await addDevice(device)
  const result = await runReplay([], { DATABASE_URL: service.url })
  expect(result.code).toBe(0)
  expect(result.stdout.split('\n').map((line) => line.replace(/ {2,}/g, ': '))).toEqual([
    'looked at: 2',
    'stored: 2',
    ': readings: 2',
    'already stored: 0',
    'still rejected: 0',
    'not replayable: 0',
    '',
  ])
  const { receivedAtMs } = before[0] as StoredReject
  expect(await readingsOf(service, device)).toEqual([
    {
      ...reading,
      device: undefined,
      at: undefined,
      atMs: at,
      receivedAtMs,
      fault: null,
      source: 'hub',
      unit: 'Cooler',
    },
    expect.objectContaining({ atMs: at + 1, receivedAtMs, temperature: null, fault: 'stuck' }),
  ])
  expect(await rejected()).toEqual([])
  expect(await payloadsKept()).toBe(0)
  expect(await replay()).toEqual(tally({}))
})

test('of a message with one bad reading of three, only that one is replayed', async () => {
  const device = lateDevice()
  const at = nextTime()
  const readings = [
    { device: KNOWN, at, temperature: 1 },
    { device, at, temperature: 2 },
    { device: KNOWN, at: at + 1, temperature: 3 },
  ]
  await publish(hub, READINGS, { boot: 'one-of-three', seq: 1, readings })
  // What is not there any more must not come back.
  await service.query('DELETE FROM public.sensor_readings WHERE temperature = 3 AND recorded_at = $1', [
    new Date(at + 1),
  ])
  await addDevice(device)
  const ledger = () => service.query('SELECT readings, receipts FROM pipeline.ingest_batches ORDER BY id')
  const batches = (await ledger()).length
  expect(await replay()).toEqual(tally({ lookedAt: 1, readings: 1 }))
  expect(await readingsOf(service, device)).toMatchObject([{ atMs: at, temperature: 2 }])
  expect((await readingsOf(service, KNOWN)).filter(({ temperature }) => temperature === 3)).toEqual([])
  expect((await ledger()).slice(batches)).toEqual([{ readings: 1, receipts: null }])
})

describe('what is still bad stays', () => {
  test('malformed, invalid and clock, each counted by its reason', async () => {
    await publish(hub, READINGS, 'no JSON')
    await publish(hub, READINGS, [])
    await publish(hub, READINGS, [
      { device: KNOWN, at: nextTime(), temperature: '4' },
      { device: KNOWN, at: 7, temperature: 4 },
    ])
    const before = await rejected()
    const stillRejected = { malformed: 1, invalid: 2, clock: 1 }
    expect(await replay()).toEqual(tally({ lookedAt: 4, stillRejected }))
    expect(await rejected()).toEqual(before)
    expect(await replay()).toEqual(tally({ lookedAt: 4, stillRejected }))
    expect(await payloadsKept()).toBe(3)
  })

  test('with the reason that is found now, and when it was looked at', async () => {
    const device = lateDevice()
    await publish(hub, READINGS, { device, at: nextTime(), temperature: 1 })
    await addDevice(device, { unit: 'Display', hub: SOUTH_HUB })
    expect(await replay()).toEqual(tally({ lookedAt: 1, stillRejected: { not_your_device: 1 } }))
    expect(await rejected()).toMatchObject([
      {
        reason: 'not_your_device',
        item: 0,
        detail: expect.stringContaining(`the site of hub "${NORTH_HUB}"`),
      },
    ])
    const marked = await service.query(
      'SELECT 1 FROM pipeline.rejected_messages WHERE device = $1 AND replayed_at > received_at',
      [device],
    )
    expect(marked).toHaveLength(1)
    // Bytes that are read otherwise by now.
    await service.query(`UPDATE pipeline.rejected_payloads SET payload = 'x'`)
    expect(await replay()).toEqual(tally({ lookedAt: 1, stillRejected: { malformed: 1 } }))
    expect(await rejected()).toMatchObject([{ reason: 'malformed', item: 0 }])
  })

  test('clock: judged by the original time of arrival, not by the present', async () => {
    const at = Date.now() - 3_600_000
    await publish(hub, READINGS, { device: KNOWN, at, temperature: 201 })
    // As if it had come three days before: then its time was two days ahead.
    for (const table of ['rejected_messages', 'rejected_payloads']) {
      await service.query(`UPDATE pipeline.${table} SET received_at = received_at - interval '3 days'`)
    }
    const [payload] = await service.query<{ id: string }>('SELECT id FROM pipeline.rejected_payloads')
    await service.query('UPDATE pipeline.rejected_payloads SET payload = $2 WHERE id = $1', [
      payload?.id,
      Buffer.from(JSON.stringify({ device: KNOWN, at, temperature: 20 })),
    ])
    expect(await replay()).toEqual(tally({ lookedAt: 1, stillRejected: { clock: 1 } }))
  })

  test('what cannot be replayed at all: cut short, a status, a client that may no longer log in', async () => {
    const device = lateDevice()
    await publish(hub, READINGS, 'x'.repeat(300_000))
    await publish(hub, STATUS, { state: 'asleep' })
    const key = 'hub-gone'
    const withHub = rivalFleet()
    withHub.sites[0]?.hubs.push({ key })
    await service.applyFleet(withHub)
    await publish(await service.connect(key), `v1/hubs/${key}/readings`, {
      device,
      at: nextTime(),
      humidity: 1,
    })
    await addDevice(device)
    await service.applyFleet(rivalFleet(), { prune: true })
    const notReplayable = { cut_short: 1, status: 1, no_log_in: 1 }
    expect(await replay()).toEqual(tally({ lookedAt: 3, notReplayable }))
    // The key has come to another organization, which has the device: the message is not that hub's.
    fleet.sites[0]?.hubs.push({ key })
    await service.applyFleet(fleet)
    expect(await replay()).toEqual(tally({ lookedAt: 3, notReplayable }))
    expect(await readingsOf(service, device)).toEqual([])
    expect(await rejected()).toHaveLength(3)
  })
})

test('a dry run writes nothing and prints the same table', async () => {
  const device = lateDevice()
  const at = nextTime()
  await publish(hub, READINGS, [
    { device, at, temperature: 1 },
    { device, at, temperature: 2 },
    { device, temperature: 3 },
    { device, at: 7, temperature: 4 },
  ])
  await publish(hub, DOORS, { device, at, state: 'open' })
  await publish(hub, READINGS, 'x')
  await addDevice(device)
  const tables = ['rejected_messages', 'rejected_payloads', 'ingest_batches']
  const contents = () =>
    Promise.all(tables.map((table) => service.query(`SELECT * FROM pipeline.${table} ORDER BY id`)))
  const before = await contents()
  const dry = await runReplay(['--dry-run'], { DATABASE_URL: service.url })
  expect(await contents()).toEqual(before)
  expect(await readingsOf(service, device)).toEqual([])
  expect(await doorEventsOf(service, device)).toEqual([])
  const wet = await runReplay([], { DATABASE_URL: service.url })
  expect(dry.stdout).toBe(`Dry run, nothing was written. It would be:\n${wet.stdout}`)
  expect(wet.stdout).toMatch(/stored +3\n {2}readings +2\n {2}door events +1\nalready stored +1\n/)
})

describe('filters', () => {
  const late = [lateDevice(), lateDevice()] as const

  beforeEach(async () => {
    const other = await service.connect(NORTH_HUB_2)
    await publish(hub, READINGS, {
      device: late[0].toUpperCase().replace(/..(?=.)/g, '$&:'),
      at: nextTime(),
      humidity: 1,
    })
    await publish(other, `v1/hubs/${NORTH_HUB_2}/readings`, { device: late[1], at: nextTime(), humidity: 1 })
    await publish(other, `v1/hubs/${NORTH_HUB_2}/readings`, 'x')
    const rival = await service.connect(RIVAL_HUB)
    await publish(rival, `v1/hubs/${RIVAL_HUB}/readings`, { device: late[0], at: nextTime(), humidity: 1 })
  })

  const lookedAt = async (filter: RejectedFilter, limit?: number) =>
    (await replay(filter, { dryRun: true, ...(limit === undefined ? {} : { limit }) })).lookedAt

  test('by reason, client, device, organization and number', async () => {
    expect(await lookedAt({})).toBe(4)
    expect(await lookedAt({ reasons: ['malformed'] })).toBe(1)
    expect(await lookedAt({ reasons: ['malformed', 'unknown_device'] })).toBe(4)
    expect(await lookedAt({ client: NORTH_HUB_2 })).toBe(2)
    expect(await lookedAt({ device: late[0] })).toBe(2)
    expect(await lookedAt({ device: late[0], client: NORTH_HUB })).toBe(1)
    const [acme] = await service.query<{ id: number }>(
      `SELECT id FROM public.organizations WHERE slug = 'acme'`,
    )
    expect(await lookedAt({ organizationId: acme?.id })).toBe(3)
    expect(await lookedAt({}, 3)).toBe(3)
  })

  test('by the time of arrival: since is among it, until is not', async () => {
    const rows = await service.query<{ atMs: number }>(
      `UPDATE pipeline.rejected_messages SET received_at = now() - id * interval '1 hour'
       RETURNING round(extract(epoch FROM received_at) * 1000)::float8 AS "atMs"`,
    )
    const [newest = 0, second = 0, third = 0] = rows.map(({ atMs }) => atMs)
    expect(await lookedAt({ sinceMs: second })).toBe(2)
    expect(await lookedAt({ untilMs: second })).toBe(2)
    expect(await lookedAt({ sinceMs: third, untilMs: newest })).toBe(2)
  })

  test('on the command line', async () => {
    const args = [
      '--reason',
      'unknown_device',
      '--client',
      NORTH_HUB,
      '--organization',
      'acme',
      '--limit',
      '5',
    ]
    const times = ['--since', '2025-01-01T00:00:00Z', '--until', String(Date.now() + 60_000)]
    await addDevice(late[0])
    const result = await runReplay([...args, ...times, '--device', late[0]], { DATABASE_URL: service.url })
    expect(result).toMatchObject({ code: 0, stdout: expect.stringMatching(/^looked at +1\nstored +1\n/) })
    expect(await rejected()).toHaveLength(3)
  })
})

describe('a message that was rejected whole', () => {
  /** As an older version would have left it, whose decoders did not know the shape. */
  async function publishUnread(topic: string, payload: unknown): Promise<void> {
    await publish(hub, topic, 'x')
    await service.query(
      'UPDATE pipeline.rejected_payloads SET payload = $1, size_bytes = $2 WHERE id = (SELECT max(id) FROM pipeline.rejected_payloads)',
      [Buffer.from(JSON.stringify(payload)), JSON.stringify(payload).length],
    )
  }

  test('is put back with all its items, and those that are bad are kept for themselves', async () => {
    const device = lateDevice()
    await addDevice(device)
    const at = nextTime()
    const readings = [
      { device, at, temperature: 1 },
      { device, at: at + 1, temperature: 'x' },
      { device: lateDevice(), at, temperature: 1 },
      { device, at: at + 2, temperature: 2 },
    ]
    await publishUnread(READINGS, { boot: 'w', seq: 1, readings })
    const books = tally({ lookedAt: 4, readings: 2, stillRejected: { invalid: 1, unknown_device: 1 } })
    expect(await replay({}, { dryRun: true })).toEqual(books)
    expect(await rejected()).toMatchObject([{ reason: 'malformed', item: null }])
    expect(await replay()).toEqual(books)
    expect((await readingsOf(service, device)).map(({ temperature }) => temperature)).toEqual([1, 2])
    expect(await rejected()).toMatchObject([
      { reason: 'invalid', item: 1 },
      { reason: 'unknown_device', item: 2 },
    ])
    expect(await payloadsKept()).toBe(1)
  })

  test('with nothing bad in it leaves nothing behind', async () => {
    const device = lateDevice()
    await addDevice(device)
    await publishUnread(DOORS, [{ device, at: nextTime(), state: 'open' }])
    expect(await replay()).toEqual(tally({ lookedAt: 1, doors: 1 }))
    expect(await doorEventsOf(service, device)).toMatchObject([{ state: 'open' }])
    expect(await payloadsKept()).toBe(0)
  })
})

describe('each is stored once', () => {
  test('what is stored by now is a duplicate, and rejected no longer; so is a second copy', async () => {
    const device = lateDevice()
    const at = nextTime()
    const [early, twice] = [
      { device, at, temperature: 1 },
      { device, at: at + 1, temperature: 1 },
    ]
    await publish(hub, READINGS, [early, twice])
    await publish(hub, READINGS, { ...twice, temperature: 2 })
    await publish(hub, DOORS, { device, at, state: 'open' })
    await addDevice(device)
    await publish(hub, READINGS, { ...early, temperature: 3 })
    await publish(hub, DOORS, { device, at, state: 'open' })
    expect(await replay()).toEqual(tally({ lookedAt: 4, readings: 1, duplicate: 3 }))
    // The first committed wins.
    expect((await readingsOf(service, device)).map(({ temperature }) => temperature)).toEqual([3, 1])
    expect(await doorEventsOf(service, device)).toHaveLength(1)
    expect(await rejected()).toEqual([])
  })

  test('readings without a time get their time of arrival, each one of its own', async () => {
    const device = lateDevice()
    const arrived = await rejectsOf(service, () =>
      publish(hub, READINGS, [
        { device, temperature: 1 },
        { device, temperature: 2 },
        { device, temperature: 3 },
      ]),
    )
    const atMs = arrived[0]?.receivedAtMs ?? 0
    await addDevice(device)
    // Two of those times are taken: by a reading from elsewhere, and by one of the replay that brings its own.
    await publish(hub, READINGS, { device, at: atMs, temperature: 10 })
    await publish(hub, READINGS, { device, at: atMs + 2, temperature: 'x' })
    await service.query(
      `UPDATE pipeline.rejected_payloads SET payload = $1 WHERE id = (SELECT max(id) FROM pipeline.rejected_payloads)`,
      [Buffer.from(JSON.stringify({ device, at: atMs + 2, temperature: 20 }))],
    )
    expect(await replay({}, { dryRun: true })).toEqual(tally({ lookedAt: 4, readings: 4 }))
    expect(await replay()).toEqual(tally({ lookedAt: 4, readings: 4 }))
    expect(await readingsOf(service, device)).toMatchObject([
      { atMs, temperature: 10, source: 'hub' },
      { atMs: atMs + 1, temperature: 1, source: 'arrival', receivedAtMs: atMs },
      { atMs: atMs + 2, temperature: 20, source: 'hub' },
      { atMs: atMs + 3, temperature: 2, source: 'arrival', receivedAtMs: atMs },
      { atMs: atMs + 4, temperature: 3, source: 'arrival', receivedAtMs: atMs },
    ])
  })

  test('a time of arrival is free however many are taken after it', async () => {
    const device = lateDevice()
    const [arrived] = await rejectsOf(service, () => publish(hub, READINGS, { device, temperature: 1 }))
    const [door] = await rejectsOf(service, () => publish(hub, DOORS, { device, state: 'open' }))
    await addDevice(device)
    const taken = `FROM public.devices d, generate_series(0, 10999) n WHERE d.device_eui = $1`
    const from = (reject: StoredReject | undefined) => [device, new Date(reject?.receivedAtMs ?? 0)]
    await service.query(
      `INSERT INTO public.sensor_readings (device_id, recorded_at, received_at, batch_id, organization_id, source)
       SELECT d.id, $2::timestamptz + n * interval '1 ms', now(), 1, d.organization_id, 'arrival' ${taken}`,
      from(arrived),
    )
    await service.query(
      `INSERT INTO public.door_events (device_id, occurred_at, received_at, batch_id, organization_id, state, source)
       SELECT d.id, $2::timestamptz + n * interval '1 ms', now(), 1, d.organization_id, 'open', 'arrival' ${taken}`,
      from(door),
    )
    expect(await replay()).toEqual(tally({ lookedAt: 2, readings: 1, doors: 1 }))
    const [reading] = (await readingsOf(service, device)).filter(({ temperature }) => temperature === 1)
    // Behind the door events too, which arrived a little later.
    expect(reading?.atMs).toBeGreaterThanOrEqual((arrived?.receivedAtMs ?? 0) + 11_000)
    expect((await doorEventsOf(service, device)).at(-1)?.atMs).toBeGreaterThanOrEqual(
      (door?.receivedAtMs ?? 0) + 11_000,
    )
  })
})

describe('what PostgreSQL refuses', () => {
  const REFUSE =
    'ALTER TABLE public.sensor_readings ADD CONSTRAINT refused CHECK (temperature <> 13) NOT VALID'
  const ALLOW = 'ALTER TABLE public.sensor_readings DROP CONSTRAINT IF EXISTS refused'

  afterEach(() => service.query(ALLOW))

  test('stays with its SQLSTATE, its neighbours are stored; it is tried again in the next run', async () => {
    const device = lateDevice()
    const at = nextTime()
    const temperatures = Array.from({ length: 100 }, (_, n) => (n === 17 || n === 60 ? 13 : n + 20))
    await publish(
      hub,
      READINGS,
      temperatures.map((temperature, n) => ({ device, at: at + n, temperature })),
    )
    await addDevice(device)
    await service.query(REFUSE)
    const refused = tally({ lookedAt: 100, readings: 98, stillRejected: { invalid: 2 } })
    expect(await replay({}, { dryRun: true })).toEqual(refused)
    expect(await replay()).toEqual(refused)
    expect(await readingsOf(service, device)).toHaveLength(98)
    expect(await rejected()).toMatchObject([
      {
        item: 17,
        reason: 'invalid',
        sqlstate: '23514',
        detail: expect.stringContaining('the database refused it'),
      },
      { item: 60, sqlstate: '23514' },
    ])
    await service.query(ALLOW)
    expect(await replay({ device })).toEqual(tally({ lookedAt: 2, readings: 2 }))
    expect(await readingsOf(service, device)).toHaveLength(100)
    expect(await payloadsKept()).toBe(0)
  })

  test('what ingest has kept with a SQLSTATE is found by its device and put back', async () => {
    const at = nextTime()
    await service.query(REFUSE)
    await publish(hub, READINGS, [
      { device: KNOWN, at, temperature: 13 },
      { device: KNOWN, at: at + 1, temperature: 14 },
    ])
    expect(await rejected()).toMatchObject([{ item: 0, sqlstate: '23514' }])
    await service.query(ALLOW)
    expect(await replay({ device: northDevice(1) })).toEqual(tally({}))
    expect(await replay({ device: KNOWN })).toEqual(tally({ lookedAt: 1, readings: 1 }))
    expect(await readingsOf(service, KNOWN)).toContainEqual(
      expect.objectContaining({ atMs: at, temperature: 13 }),
    )
  })
})

test('the durations of door openings are corrected', async () => {
  const device = lateDevice()
  const at = nextTime()
  await publish(hub, DOORS, { device, at, state: 'open' })
  await addDevice(device)
  await publish(hub, DOORS, { device, at: at + 30_000, state: 'closed' })
  expect(await doorEventsOf(service, device)).toMatchObject([{ state: 'closed', durationSeconds: null }])
  expect(await replay()).toEqual(tally({ lookedAt: 1, doors: 1 }))
  expect(await doorEventsOf(service, device)).toMatchObject([
    { state: 'open', durationSeconds: null },
    { state: 'closed', durationSeconds: 30 },
  ])
})

test('a device that has moved since: the unit is that of the time of the reading', async () => {
  const device = lateDevice()
  const [before, after] = [nextTime(), Date.now() + 3_600_000]
  await publish(hub, READINGS, [
    { device, at: before, temperature: 1 },
    { device, at: after, temperature: 2 },
  ])
  await addDevice(device)
  const cooler = unitOf(fleet, 'Cooler')
  cooler.devices = cooler.devices.filter(({ device_eui }) => device_eui !== device)
  await addDevice(device, { unit: 'Freezer', hub: NORTH_HUB })
  expect(await replay()).toEqual(tally({ lookedAt: 2, readings: 2 }))
  expect(await readingsOf(service, device)).toMatchObject([
    { atMs: before, unit: 'Cooler' },
    { atMs: after, unit: 'Freezer' },
  ])
})

test("a device's own messages are replayed in its name", async () => {
  const device = lateDevice()
  unitOf(fleet, 'Cooler').devices.push({ ...fleetDevice(device), connects: true })
  await service.applyFleet(fleet)
  const self = await service.connect(`device:${device}`)
  await service.query(
    'ALTER TABLE public.sensor_readings ADD CONSTRAINT refused CHECK (humidity <> 13) NOT VALID',
  )
  await publish(self, `v1/devices/${device}/readings`, { at: nextTime(), humidity: 13 })
  await service.query('ALTER TABLE public.sensor_readings DROP CONSTRAINT refused')
  expect(await replay()).toEqual(tally({ lookedAt: 1, readings: 1 }))
  expect(await readingsOf(service, device)).toMatchObject([{ humidity: 13, source: 'device' }])
})

describe('the command', () => {
  test.each([
    [['--nonsense'], "Unknown option '--nonsense'"],
    [['--organization', 'nobody'], 'There is no organization "nobody"'],
  ])('ends %j with exit code 1 and one message', async (args, message) => {
    const result = await runReplay(args, { DATABASE_URL: service.url })
    expect(result).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) })
    expect(result.stderr).not.toContain('    at ')
  })

  test('prints help', async () => {
    const result = await runReplay(['--help'], {})
    expect(result).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage: npm run rejected:replay'),
    })
  })
})
