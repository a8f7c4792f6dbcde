import { Pool, type PoolClient } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestFleet, type TestFleet } from '../testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../testing/test-database.ts'
import { batchRows } from './batch-rows.ts'
import { toCenti } from './centi.ts'
import { doorRows, openDoorRows } from './door-rows.ts'
import type { LedgerBatch } from './ledger-page.ts'
import { deviceRowPages, deviceRows, timeOfLastRow } from './reading-rows.ts'
import { doorOf, readingOf, storeBatch } from './testing/batches.ts'

const T0 = Date.UTC(2026, 10, 20, 10)
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

let database: TestDatabase
let pool: Pool
let client: PoolClient
let fleet: TestFleet
let fleets = 0

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  client = await pool.connect()
})

afterAll(async () => {
  client.release()
  await pool.end()
  await database.drop()
})

beforeEach(async () => {
  fleets += 1
  const euiPrefix = fleets.toString(16).padStart(4, '0')
  fleet = await createTestFleet(pool, { slug: `test-${fleets}`, hubs: 1, devices: 3, euiPrefix })
})

const deviceId = (n: number) => fleet.devices[n]?.id ?? 0

async function calibrate(device: number, calibratedAtMs: number, offset: number): Promise<void> {
  await pool.query(
    `INSERT INTO calibration_records (organization_id, device_id, calibrated_at, temperature_offset) VALUES ($1, $2, $3, $4)`,
    [fleet.organizationId, deviceId(device), new Date(calibratedAtMs), offset],
  )
}

async function ledgerRows(ids: readonly bigint[]): Promise<LedgerBatch[]> {
  const { rows } = await pool.query<{
    id: string
    tx: string
    readings: number
    doors: number
    from: Date
    to: Date
  }>(
    `SELECT id, tx, readings, doors, recorded_from AS from, recorded_to AS to FROM pipeline.ingest_batches WHERE id = ANY ($1)`,
    [ids],
  )
  return rows.map(({ id, tx, readings, doors, from, to }) => ({
    id: BigInt(id),
    tx,
    readings,
    doors,
    recordedFromMs: from?.getTime() ?? null,
    recordedToMs: to?.getTime() ?? null,
    committedAtMs: null,
  }))
}

describe('the rows of batches', () => {
  test('are readings and door events as they are judged', async () => {
    const id = await storeBatch(pool, {
      readings: [readingOf(fleet, 0, T0, { temperature: 4.41 })],
      doors: [doorOf(fleet, 1, T0 + 1, { receivedAtMs: T0 + 2 })],
    })
    expect(await batchRows(client, await ledgerRows([id]))).toEqual({
      readings: [
        {
          kind: 'reading',
          deviceId: deviceId(0),
          unitId: fleet.unitId,
          atMs: T0,
          recordedAtMs: T0,
          receivedAtMs: T0 + 250,
          temperatureCenti: 441,
          battery: 88,
          fault: null,
        },
      ],
      doors: [
        {
          kind: 'door',
          deviceId: deviceId(1),
          unitId: fleet.unitId,
          atMs: T0 + 1,
          recordedAtMs: T0 + 1,
          receivedAtMs: T0 + 2,
          isOpen: true,
        },
      ],
    })
  })

  test('are those of all batches that are named, and of no other, old and new ones together', async () => {
    const old = await storeBatch(pool, { readings: [readingOf(fleet, 0, T0 - 900 * DAY_MS)] })
    const other = await storeBatch(pool, { readings: [readingOf(fleet, 1, T0 + 5)] })
    const live = await storeBatch(pool, { readings: [readingOf(fleet, 0, T0), readingOf(fleet, 2, T0 + 10)] })
    const early = await storeBatch(pool, { readings: [readingOf(fleet, 1, T0 - 400 * DAY_MS)] })
    await pool.query(
      `UPDATE pipeline.ingest_batches SET recorded_from = NULL, recorded_to = NULL WHERE id = $1`,
      [early],
    )
    const { readings } = await batchRows(client, await ledgerRows([old, live, early]))
    expect(readings.map(({ recordedAtMs }) => recordedAtMs).sort((a, b) => a - b)).toEqual([
      T0 - 900 * DAY_MS,
      T0 - 400 * DAY_MS,
      T0,
      T0 + 10,
    ])
    expect((await batchRows(client, await ledgerRows([other]))).readings).toHaveLength(1)
  })

  test('leave out what is simulated, and what stands in no unit', async () => {
    const id = await storeBatch(pool, {
      readings: [readingOf(fleet, 0, T0), readingOf(fleet, 1, T0, { unitId: null }), readingOf(fleet, 2, T0)],
      doors: [doorOf(fleet, 0, T0), doorOf(fleet, 2, T0)],
    })
    await pool.query(`UPDATE sensor_readings SET source = 'simulated' WHERE device_id = $1`, [deviceId(2)])
    await pool.query(`UPDATE door_events SET source = 'simulated' WHERE device_id = $1`, [deviceId(2)])
    const { readings, doors } = await batchRows(client, await ledgerRows([id]))
    expect(readings.map((row) => row.deviceId)).toEqual([deviceId(0)])
    expect(doors.map((row) => row.deviceId)).toEqual([deviceId(0)])
  })

  test('have no temperature where the sensor reports a fault', async () => {
    const id = await storeBatch(pool, {
      readings: [
        readingOf(fleet, 0, T0, { fault: 'sensor_open', temperature: 85 }),
        readingOf(fleet, 1, T0, { temperature: null }),
      ],
    })
    const { readings } = await batchRows(client, await ledgerRows([id]))
    expect(readings.map(({ temperatureCenti }) => temperatureCenti)).toEqual([null, null])
    expect(readings.find((row) => row.deviceId === deviceId(0))?.fault).toBe('sensor_open')
  })

  test('are searched in the partitions of their time only', async () => {
    await storeBatch(pool, { readings: [readingOf(fleet, 0, T0)] })
    const scans = async () => {
      await client.query('SELECT pg_stat_force_next_flush()')
      const { rows } = await client.query<{ scans: number }>(
        `SELECT coalesce(sum(coalesce(idx_scan, 0) + seq_scan), 0)::int AS scans FROM pg_stat_user_tables
         WHERE relname LIKE 'sensor_readings_2015'`,
      )
      return rows[0]?.scans
    }
    const id = await storeBatch(pool, { readings: [readingOf(fleet, 1, T0)] })
    const batches = await ledgerRows([id])
    const before = await scans()
    await batchRows(client, batches)
    expect(await scans()).toBe(before)
    // That they are counted:
    await batchRows(
      client,
      batches.map((batch) => ({ ...batch, recordedFromMs: null, recordedToMs: null })),
    )
    expect(await scans()).toBeGreaterThan(before ?? 0)
  })
})

describe('calibration', () => {
  test('is the offset that held at the evaluation time', async () => {
    await calibrate(0, T0 - DAY_MS, -0.3)
    await calibrate(0, T0 + DAY_MS, 1.25)
    const at = async (recordedAtMs: number, receivedAtMs = recordedAtMs) => {
      const id = await storeBatch(pool, { readings: [readingOf(fleet, 0, recordedAtMs, { receivedAtMs })] })
      return (await batchRows(client, await ledgerRows([id]))).readings[0]?.temperatureCenti
    }
    expect(await at(T0 - DAY_MS - 1)).toBe(440)
    expect(await at(T0 - DAY_MS)).toBe(410)
    expect(await at(T0)).toBe(410)
    expect(await at(T0 + DAY_MS)).toBe(565)
    // Its clock ran ahead of a calibration that had not taken place when it arrived.
    expect(await at(T0 + DAY_MS + 1, T0)).toBe(410)
  })

  test('is the same in the view and in the function', async () => {
    await calibrate(1, T0, 0.75)
    await storeBatch(pool, {
      readings: [
        readingOf(fleet, 1, T0 - 1, { temperature: -18.05, receivedAtMs: T0 - 1 }),
        readingOf(fleet, 1, T0, { temperature: -18.05 }),
        readingOf(fleet, 1, T0 + 1, { temperature: null }),
      ],
    })
    const { rows } = await pool.query<{ view: string; called: string }>(
      `SELECT c.temperature::text AS view, pipeline.calibrated_temperature(c.device_id, c.recorded_at, r.temperature)::text AS called
       FROM calibrated_readings c JOIN sensor_readings r USING (device_id, recorded_at)
       WHERE device_id = $1 ORDER BY recorded_at`,
      [deviceId(1)],
    )
    expect(rows).toEqual([
      { view: '-18.05', called: '-18.05' },
      { view: '-17.30', called: '-17.30' },
      { view: null, called: null },
    ])
  })

  test('rounds to hundredths in the database as it does here', async () => {
    const seed = Math.trunc(Math.random() * 2 ** 32)
    let state = seed
    const random = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state / 2 ** 32
    }
    const given = [
      ...Array.from({ length: 30_001 }, (_, i) => (i - 10_000) / 100),
      ...Array.from({ length: 5_000 }, () => random() * 300 - 100),
      ...Array.from({ length: 2_400 }, (_, i) => (i - 800) / 8),
    ]
    const { rows } = await pool.query<{ centi: number[] }>(
      'SELECT array_agg(pipeline.centi(t) ORDER BY n) AS centi FROM unnest($1::real[]) WITH ORDINALITY AS given (t, n)',
      [given],
    )
    expect(rows[0]?.centi, `seed ${seed}`).toEqual(given.map(toCenti))
    expect(given.slice(0, 30_001).map(toCenti)).toEqual(Array.from({ length: 30_001 }, (_, i) => i - 10_000))
  })
})

describe('the readings of a device', () => {
  const times = (rows: readonly { atMs: number }[]) => rows.map(({ atMs }) => (atMs - T0) / MINUTE_MS)
  const span = (device = 0) => ({ deviceId: deviceId(device), unitId: fleet.unitId })

  /** Ten readings a minute apart, received the moment they were taken. */
  const storeTen = () =>
    storeBatch(pool, {
      readings: Array.from({ length: 10 }, (_, i) => {
        const atMs = T0 + i * MINUTE_MS
        return readingOf(fleet, 0, atMs, { receivedAtMs: atMs })
      }),
    })

  test('come in order, from the first time to before the last', async () => {
    await storeTen()
    await storeBatch(pool, { readings: [readingOf(fleet, 1, T0)] })
    const rows = await deviceRows(client, {
      ...span(),
      fromMs: T0 + 2 * MINUTE_MS,
      toMs: T0 + 6 * MINUTE_MS,
      limit: 100,
    })
    expect(times(rows)).toEqual([2, 3, 4, 5])
    expect(times(await deviceRows(client, { ...span(), fromMs: -Infinity, limit: 100 }))).toHaveLength(10)
  })

  test('come in pages', async () => {
    await storeTen()
    const first = await deviceRows(client, { ...span(), fromMs: T0, limit: 4 })
    expect(times(first)).toEqual([0, 1, 2, 3])
    const after = first.at(-1)
    if (!after) throw new Error('The page is empty')
    expect(times(await deviceRows(client, { ...span(), fromMs: T0, after, limit: 100 }))).toEqual([
      4, 5, 6, 7, 8, 9,
    ])
  })

  test('come in order of evaluation time, and of recorded time where that is the same', async () => {
    const received = (recorded: number, receivedAt: number) =>
      readingOf(fleet, 0, T0 + recorded * MINUTE_MS, { receivedAtMs: T0 + receivedAt * MINUTE_MS })
    await storeBatch(pool, { readings: [received(60, 2), received(50, 2), received(1, 9), received(3, 3)] })
    const rows = await deviceRows(client, {
      ...span(),
      fromMs: T0 + MINUTE_MS,
      toMs: T0 + 3 * MINUTE_MS,
      limit: 100,
    })
    expect(rows.map(({ recordedAtMs }) => (recordedAtMs - T0) / MINUTE_MS)).toEqual([1, 50, 60])
    const after = { atMs: T0 + 2 * MINUTE_MS, recordedAtMs: T0 + 50 * MINUTE_MS }
    const rest = await deviceRows(client, { ...span(), fromMs: T0, after, limit: 100 })
    expect(rest.map(({ recordedAtMs }) => (recordedAtMs - T0) / MINUTE_MS)).toEqual([60, 3])
  })

  test('are those that were taken in this unit', async () => {
    await storeTen()
    const rows = await deviceRows(client, { ...span(), unitId: fleet.unitId + 1, fromMs: T0, limit: 100 })
    expect(rows).toEqual([])
  })

  test('page by page are all of a time, however much of it a page asks for', async () => {
    await storeTen()
    const pages = async (given: { fromMs: number; toMs: number; pageMs: number; newestMs: number }) => {
      const { fromMs, toMs, ...by } = given
      const found = []
      for await (const page of deviceRowPages((page) => page(client), { ...span(), fromMs, toMs }, by))
        found.push(times(page))
      return found
    }
    const [fromMs, toMs] = [T0 + 2 * MINUTE_MS, T0 + 8 * MINUTE_MS]
    const little = { pageMs: 2 * MINUTE_MS, newestMs: T0 + 9 * MINUTE_MS }
    expect(await pages({ fromMs, toMs, ...little })).toEqual([
      [2, 3],
      [4, 5, 6, 7],
    ])
    expect(await pages({ fromMs: T0, toMs: Infinity, ...little })).toEqual([
      [0, 1],
      [2, 3, 4, 5],
      [6, 7, 8, 9],
    ])
    expect((await pages({ fromMs: -Infinity, toMs: Infinity, ...little })).flat()).toHaveLength(10)
    expect(await pages({ fromMs: T0 + 20 * MINUTE_MS, toMs: Infinity, ...little })).toEqual([])
  })

  test('page by page are all, where a page is full, and where many share their time', async () => {
    const count = 5_000
    const readings = Array.from({ length: count }, (_, i) =>
      readingOf(fleet, 0, T0 + i * 1_000, { receivedAtMs: T0 + Math.min(i, 2_500) * 1_000 }),
    )
    await storeBatch(pool, { readings })
    for (const pageMs of [1, 100_000, 86_400_000]) {
      const found: number[] = []
      const by = { pageMs, newestMs: T0 + count * 1_000 }
      for await (const page of deviceRowPages(
        (page) => page(client),
        { ...span(), fromMs: T0, toMs: Infinity },
        by,
      )) {
        found.push(...page.map(({ recordedAtMs }) => (recordedAtMs - T0) / 1_000))
      }
      expect(found).toEqual(Array.from({ length: count }, (_, i) => i))
    }
  })

  test('the time of the one that is so many before a time', async () => {
    await storeTen()
    const timeOf = (count: number, beforeMs: number) => timeOfLastRow(client, { ...span(), beforeMs, count })
    expect(await timeOf(3, T0 + 5 * MINUTE_MS)).toBe(T0 + 2 * MINUTE_MS)
    expect(await timeOf(5, T0 + 5 * MINUTE_MS)).toBe(T0)
    expect(await timeOf(6, T0 + 5 * MINUTE_MS)).toBeUndefined()
  })
})

describe('the door events of a unit', () => {
  test('come in order, open before closed, from all its devices, also from those that have left', async () => {
    await storeBatch(pool, {
      doors: [
        doorOf(fleet, 0, T0 + 2, { state: 'closed' }),
        doorOf(fleet, 1, T0 + 2, { state: 'open' }),
        doorOf(fleet, 2, T0 + 1, { state: 'open' }),
        doorOf(fleet, 0, T0 + 9, { state: 'open', receivedAtMs: T0 + 3 }),
      ],
    })
    await pool.query('UPDATE devices SET unit_id = NULL WHERE id = $1', [deviceId(2)])
    const shown = (rows: readonly { deviceId: number; isOpen: boolean }[]) =>
      rows.map((row) => `${fleet.devices.findIndex(({ id }) => id === row.deviceId)} ${row.isOpen}`)
    const span = { unitId: fleet.unitId, fromMs: T0 }
    expect(shown(await doorRows(client, { ...span, limit: 10 }))).toEqual([
      '2 true',
      '1 true',
      '0 false',
      '0 true',
    ])
    expect(shown(await doorRows(client, { ...span, toMs: T0 + 3, limit: 2 }))).toEqual(['2 true', '1 true'])
    expect(shown(await doorRows(client, { ...span, limit: 2, newest: true }))).toEqual(['0 false', '0 true'])
  })
  test('that opened what is open at a time: the first since the last closed', async () => {
    const states: [device: number, atMs: number, state: 'open' | 'closed'][] = [
      [0, 1, 'open'],
      [0, 3, 'closed'],
      [0, 4, 'open'],
      [0, 5, 'open'],
      [0, 8, 'closed'],
      [1, 2, 'open'],
      [1, 6, 'open'],
      [1, 6, 'closed'],
      [2, 7, 'open'],
    ]
    await storeBatch(pool, {
      doors: states.map(([device, atMs, state]) => doorOf(fleet, device, T0 + atMs, { state })),
    })
    const openAt = async (atMs: number, fromMs = 0) => {
      const span = { unitId: fleet.unitId, fromMs: T0 + fromMs, toMs: T0 + atMs }
      const rows = await openDoorRows(client, span)
      return rows.map((row) => [fleet.devices.findIndex(({ id }) => id === row.deviceId), row.atMs - T0])
    }
    expect(await openAt(6)).toEqual([
      [0, 4],
      [1, 2],
    ])
    expect(await openAt(7)).toEqual([[0, 4]])
    expect(await openAt(9)).toEqual([[2, 7]])
    expect(await openAt(6, 5)).toEqual([[0, 5]])
  })
})
