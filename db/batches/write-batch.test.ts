import { Pool } from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { DoorRow } from '../copy/doors.ts'
import type { ReadingRow } from '../copy/readings.ts'
import { recordSightings } from '../hubs.ts'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { until } from '../testing/poll.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { createBatchIds } from './batch-id.ts'
import {
  type Batch,
  BatchIdTakenError,
  DrainedAlreadyError,
  findBatch,
  findBatches,
  writeBatch,
} from './write-batch.ts'
import { doorRounds } from './write-doors.ts'

const T0 = Date.UTC(2026, 10, 20, 10)
const OPTIONS = { statementTimeoutMs: 30_000, expectDuplicates: false }
const WRITER = '00000000-0000-4000-8000-000000000001'
const nextId = createBatchIds({ now: Date.now, process: 7 })

let database: TestDatabase
let pool: Pool
let fleet: TestFleet

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'test', hubs: 1, devices: 20, euiPrefix: 'a8' })
})

afterAll(async () => {
  await pool.end()
  await database.drop()
})

function reading(device: number, atMs: number, change: Partial<ReadingRow> = {}): ReadingRow {
  return {
    deviceId: fleet.devices[device]?.id ?? 0,
    unitId: fleet.unitId,
    organizationId: fleet.organizationId,
    recordedAtMs: atMs,
    receivedAtMs: atMs + 250,
    temperature: 4.4,
    humidity: 51.2,
    battery: 88,
    rssi: -91,
    snr: 7.5,
    fault: null,
    source: 'hub',
    ...change,
  }
}

function door(device: number, atMs: number, state: 'open' | 'closed'): DoorRow {
  return {
    deviceId: fleet.devices[device]?.id ?? 0,
    unitId: fleet.unitId,
    organizationId: fleet.organizationId,
    occurredAtMs: atMs,
    receivedAtMs: atMs,
    state,
    source: 'hub',
  }
}

function batch(parts: Partial<Batch>): Batch {
  return {
    id: nextId(),
    writer: WRITER,
    readings: [],
    doors: [],
    rejected: [],
    hubStatuses: [],
    receipts: [],
    ...parts,
  }
}

async function rows<T extends object>(sql: string, values: unknown[] = []): Promise<T[]> {
  return (await pool.query<T>(sql, values)).rows
}

/** The statements that `work` sends over the pool's only connection. */
async function statementsOf(one: Pool, work: () => Promise<unknown>): Promise<string[]> {
  const client = await one.connect()
  const send = vi.spyOn(client, 'query')
  client.release()
  await work()
  return send.mock.calls.map(([query]) => {
    const statement: unknown = query
    if (typeof statement === 'string') return statement
    return (statement as { text?: string }).text ?? ''
  })
}

test('stores every column of a reading, nulls and extremes included', async () => {
  const outcome = await writeBatch(
    pool,
    batch({
      readings: [
        reading(0, T0 + 123),
        reading(1, Date.UTC(2015, 0, 1), {
          temperature: -40.25,
          humidity: null,
          battery: null,
          rssi: null,
          snr: null,
          unitId: null,
          fault: 'no_probe',
          source: 'arrival',
        }),
      ],
    }),
    OPTIONS,
  )
  expect(outcome).toEqual({ readings: 2, readingsDuplicate: 0, doors: 0, doorsDuplicate: 0 })
  const stored = await rows('SELECT * FROM sensor_readings ORDER BY recorded_at DESC')
  expect(stored[0]).toMatchObject({
    device_id: fleet.devices[0]?.id,
    unit_id: fleet.unitId,
    organization_id: fleet.organizationId,
    recorded_at: new Date(T0 + 123),
    received_at: new Date(T0 + 373),
    temperature: 4.4,
    humidity: 51.2,
    battery: 88,
    rssi: -91,
    snr: 7.5,
    source: 'hub',
    fault: null,
  })
  expect(stored[1]).toMatchObject({
    recorded_at: new Date('2015-01-01T00:00:00Z'),
    temperature: -40.25,
    humidity: null,
    unit_id: null,
    fault: 'no_probe',
    source: 'arrival',
  })
})

test('a batch with readings that are stored already stores the others, the first committed wins', async () => {
  const first = batch({ readings: [reading(2, T0, { temperature: 1 }), reading(3, T0)] })
  await writeBatch(pool, first, OPTIONS)
  const second = batch({ readings: [reading(2, T0, { temperature: 2 }), reading(4, T0)] })
  expect(await writeBatch(pool, second, OPTIONS)).toMatchObject({ readings: 1, readingsDuplicate: 1 })
  const [kept] = await rows<{ temperature: number }>(
    'SELECT temperature FROM sensor_readings WHERE device_id = $1',
    [fleet.devices[2]?.id],
  )
  expect(kept?.temperature).toBe(1)
  expect(await findBatch(pool, second)).toMatchObject({ readings: 1, readingsDuplicate: 1 })
})

test('a batch that is in the ledger is not written again', async () => {
  const once = batch({ readings: [reading(5, T0)], doors: [door(5, T0, 'open')] })
  const outcome = await writeBatch(pool, once, OPTIONS)
  expect(await writeBatch(pool, once, OPTIONS)).toEqual(outcome)
  expect(await writeBatch(pool, once, { ...OPTIONS, expectDuplicates: true })).toEqual(outcome)
  expect(await rows('SELECT 1 FROM pipeline.ingest_batches WHERE id = $1', [once.id])).toHaveLength(1)
})

test("another process's batch under the same id is not taken for ours", async () => {
  const other = { ...batch({ readings: [reading(7, T0)] }), writer: '00000000-0000-4000-8000-000000000002' }
  await writeBatch(pool, other, OPTIONS)
  const ours = { ...batch({ readings: [reading(9, T0)] }), id: other.id }
  await expect(writeBatch(pool, ours, OPTIONS)).rejects.toThrow(BatchIdTakenError)
  expect(await rows('SELECT 1 FROM sensor_readings WHERE device_id = $1', [fleet.devices[9]?.id])).toEqual([])
})

test('readings that may be stored already do not send the others the slow way', async () => {
  const at = T0 + 500_000_000
  await writeBatch(pool, batch({ readings: [reading(0, at), reading(1, at)] }), OPTIONS)
  const suspect = { mayBeStored: true }
  const readings = [
    reading(2, at),
    reading(0, at, suspect),
    reading(3, at, suspect),
    reading(1, at, suspect),
    reading(4, at),
  ]
  const one = new Pool({ connectionString: database.url, max: 1 })
  try {
    const resent = batch({ readings })
    const sent = await statementsOf(one, () => writeBatch(one, resent, OPTIONS))
    expect(await findBatch(pool, resent)).toEqual({
      readings: 3,
      readingsDuplicate: 2,
      doors: 0,
      doorsDuplicate: 0,
    })
    expect(sent.filter((sql) => sql.includes('COPY public.sensor_readings')).length).toBe(1)
    expect(sent).not.toContain('ROLLBACK')
  } finally {
    await one.end()
  }
  const onlySuspects = batch({ readings: readings.map((row) => ({ ...row, ...suspect })) })
  expect(await writeBatch(pool, onlySuspects, OPTIONS)).toMatchObject({ readings: 0, readingsDuplicate: 5 })
})

test('two batches that write the same readings at once store each once', async () => {
  const keys = Array.from({ length: 2_000 }, (_, n) => n)
  const one = keys.map((n) => reading(n % 10, T0 + 60_000 + n))
  const other = one.toReversed()
  const outcomes = await Promise.all([one, other].map((readings) => writeWithRetry(batch({ readings }))))
  expect(outcomes.reduce((sum, { readings }) => sum + readings, 0)).toBe(2_000)
  const [stored] = await rows<{ count: string }>(
    'SELECT count(*) FROM sensor_readings WHERE recorded_at >= $1 AND recorded_at < $2',
    [new Date(T0 + 60_000), new Date(T0 + 62_000)],
  )
  expect(Number(stored?.count)).toBe(2_000)
})

/** Concurrent unique inserts in opposite order may deadlock; ingest tries again. */
async function writeWithRetry(given: Batch) {
  for (;;) {
    try {
      return await writeBatch(pool, given, OPTIONS)
    } catch (error) {
      if ((error as { code?: string }).code !== '40P01') throw error
    }
  }
}

test('all of a batch is stored or nothing', async () => {
  const bad = batch({
    readings: [reading(6, T0 + 1)],
    doors: [door(6, Date.UTC(1999, 0, 1), 'open')],
  })
  await expect(writeBatch(pool, bad, OPTIONS)).rejects.toMatchObject({ code: '23514' })
  expect(await rows('SELECT 1 FROM sensor_readings WHERE batch_id = $1', [bad.id])).toHaveLength(0)
  expect(await findBatch(pool, bad)).toBeUndefined()
})

test('doors get their durations, also over batches and in any order', async () => {
  const id = fleet.devices[8]?.id
  const durations = async () =>
    (
      await rows<{ state: string; duration_seconds: number | null }>(
        'SELECT state, duration_seconds FROM door_events WHERE device_id = $1 ORDER BY occurred_at',
        [id],
      )
    ).map(({ duration_seconds: seconds }) => seconds)

  await writeBatch(pool, batch({ doors: [door(8, T0, 'open')] }), OPTIONS)
  await writeBatch(pool, batch({ doors: [door(8, T0 + 90_000, 'closed')] }), OPTIONS)
  expect(await durations()).toEqual([null, 90])
  // A close in between arrives late: it ends the opening, and the later close ends none.
  const late = batch({ doors: [door(8, T0 + 30_000, 'closed'), door(8, T0, 'open')] })
  expect(await writeBatch(pool, late, OPTIONS)).toMatchObject({ doors: 1, doorsDuplicate: 1 })
  expect(await durations()).toEqual([null, 30, null])
  // And so does the open that the later close ends after all.
  await writeBatch(pool, batch({ doors: [door(8, T0 + 60_000, 'open')] }), OPTIONS)
  expect(await durations()).toEqual([null, 30, null, 30])
})

test('an old and a new event of one door in one batch do not read what lies between', async () => {
  const old = door(10, T0 - 90 * 86_400_000, 'open')
  const events = [old, door(10, T0, 'closed'), door(11, T0, 'open'), door(10, T0 - 5_000, 'open')]
  expect(doorRounds(events).map((round) => round.length)).toEqual([2, 2])
  await writeBatch(pool, batch({ doors: events }), OPTIONS)
  const stored = await rows<{ duration_seconds: number | null }>(
    'SELECT duration_seconds FROM door_events WHERE device_id = $1 ORDER BY occurred_at',
    [fleet.devices[10]?.id],
  )
  // The first open counts: nothing closed the door in between.
  expect(stored.map((row) => row.duration_seconds)).toEqual([null, null, 90 * 86_400])
})

test('rejected messages keep their bytes once, with an item each', async () => {
  const payload = Buffer.from([0xff, 0x00, 0x7b])
  await writeBatch(
    pool,
    batch({
      rejected: [
        {
          topic: 'v1/hubs/test-hub-1/readings',
          client: 'test-hub-1',
          organizationId: fleet.organizationId,
          receivedAtMs: T0,
          payload,
          sizeBytes: 300_000,
          items: [
            { reason: 'invalid', detail: 'a\0\ud800', device: 'x', item: 0, sqlstate: null },
            { reason: 'clock', detail: 'b', device: null, item: 3, sqlstate: '22021' },
          ],
        },
      ],
    }),
    OPTIONS,
  )
  const stored = await rows(
    `SELECT m.reason, m.detail, m.device, m.item, m.sqlstate, m.client, p.payload, p.size_bytes, p.truncated
     FROM pipeline.rejected_messages m JOIN pipeline.rejected_payloads p ON p.id = m.payload_id ORDER BY m.id`,
  )
  expect(stored).toMatchObject([
    {
      reason: 'invalid',
      detail: 'a\ufffd\ufffd',
      device: 'x',
      item: 0,
      payload,
      size_bytes: 300_000,
      truncated: true,
    },
    { reason: 'clock', item: 3, sqlstate: '22021', client: 'test-hub-1' },
  ])
  expect(await rows('SELECT 1 FROM pipeline.rejected_payloads')).toHaveLength(1)
})

test('a hub status older than the one known changes nothing', async () => {
  const hubId = fleet.hubs[0]?.id ?? 0
  const status = (isOnline: boolean, receivedAtMs: number, firmware: string | null = null) =>
    batch({ hubStatuses: [{ hubId, isOnline, firmware, queued: 3, receivedAtMs }] })
  const hub = async () =>
    (await rows('SELECT is_online, firmware_version FROM hubs WHERE id = $1', [hubId]))[0]
  await writeBatch(pool, status(true, T0, '1.2.0'), OPTIONS)
  expect(await hub()).toEqual({ is_online: true, firmware_version: '1.2.0' })
  await writeBatch(pool, status(false, T0 - 1_000), OPTIONS)
  expect(await hub()).toEqual({ is_online: true, firmware_version: '1.2.0' })
  await writeBatch(pool, status(false, T0 + 1_000), OPTIONS)
  expect(await hub()).toEqual({ is_online: false, firmware_version: '1.2.0' })
  // A later sighting must not swallow what the hub has said, nor a later status what an earlier one has.
  await recordSightings(pool, [{ hubId, seenAtMs: T0 + 9_000 }])
  const said = { hubId, isOnline: true, queued: null, receivedAtMs: T0 + 8_000 }
  const two = [
    { ...said, firmware: '1.3.0' },
    { ...said, firmware: null },
  ]
  await writeBatch(pool, batch({ hubStatuses: two }), OPTIONS)
  expect(await hub()).toEqual({ is_online: true, firmware_version: '1.3.0' })
})

test('what is drained is in the ledger under each of its names, and none of them is stored again', async () => {
  const at = T0 + 900_000
  const [first, second, third] = [nextId(), nextId(), nextId()]
  const drained = [{ id: second, writer: WRITER }]
  await writeBatch(pool, batch({ id: first, readings: [reading(0, at)], drained }), OPTIONS)
  const ledger = await findBatches(pool, [first, second, third])
  expect([...ledger.keys()].sort()).toEqual([first, second].sort())
  expect(ledger.get(first)).toMatchObject({ writer: WRITER, readings: 1 })
  expect(ledger.get(second)).toMatchObject({ writer: WRITER, readings: 0 })
  expect(await rows('SELECT rejected FROM pipeline.ingest_batches WHERE id = $1', [first])).toEqual([
    { rejected: 0 },
  ])

  const overlapping = batch({ id: third, readings: [reading(0, at + 1)], drained })
  await expect(writeBatch(pool, overlapping, OPTIONS)).rejects.toBeInstanceOf(DrainedAlreadyError)
  expect((await findBatches(pool, [third])).size).toBe(0)
})

test('what is drained beside more is not taken for stored when an earlier attempt at a part of it is committed meanwhile', async () => {
  const at = T0 + 950_000
  const earlier = batch({ readings: [reading(0, at)], drained: [] })
  const more = nextId()
  const again = {
    ...earlier,
    readings: [reading(0, at), reading(1, at)],
    drained: [{ id: more, writer: WRITER }],
  }
  const waiting = (sessions: number) =>
    until(`${sessions} wait`, async () => {
      const { rowCount } = await pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      return rowCount === sessions
    })
  const holder = await pool.connect()
  try {
    await holder.query('BEGIN; LOCK TABLE pipeline.ingest_batches IN SHARE MODE')
    // Nobody waits for it any more, but the server has all of it.
    const committedLate = writeBatch(pool, earlier, OPTIONS)
    await waiting(1)
    const outcome = expect(writeBatch(pool, again, OPTIONS)).rejects.toBeInstanceOf(DrainedAlreadyError)
    await waiting(2)
    await holder.query('ROLLBACK')
    await Promise.all([committedLate, outcome])
  } finally {
    holder.release()
  }
  expect([...(await findBatches(pool, [earlier.id, more])).keys()]).toEqual([earlier.id])
})

test('the ledger row tells the range of times in which the rows of its batch are found', async () => {
  const rangeOf = async (written: Batch) => {
    await writeBatch(pool, written, OPTIONS)
    return rows<{ from: Date | null; to: Date | null }>(
      'SELECT recorded_from AS "from", recorded_to AS "to" FROM pipeline.ingest_batches WHERE id = $1',
      [written.id],
    )
  }
  const readings = [reading(12, T0 + 77_007), reading(12, T0 + 70_123), reading(13, T0 + 75_000)]
  const both = batch({ readings, doors: [door(12, T0 + 80_001, 'open')] })
  expect(await rangeOf(both)).toEqual([{ from: new Date(T0 + 70_123), to: new Date(T0 + 80_001) }])
  const doors = batch({ doors: [door(13, T0 + 90_000, 'open')] })
  expect(await rangeOf(doors)).toEqual([{ from: new Date(T0 + 90_000), to: new Date(T0 + 90_000) }])
  expect(await rangeOf(batch({}))).toEqual([{ from: null, to: null }])
})
