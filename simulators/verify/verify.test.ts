import { Client, Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createTestFleet } from '../../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import type { SentDoor, SentReading } from '../hub/message.ts'
import { Ledger } from '../ledger/ledger.ts'
import { message } from '../testing/messages.ts'
import { formatBooks } from './format-books.ts'
import { databaseNowMs, verifyLedger } from './verify.ts'

const READINGS = 20

let database: TestDatabase
let client: Client
let startedAtMs: number
let fleet: Awaited<ReturnType<typeof createTestFleet>>

beforeAll(async () => {
  database = await createTestDatabase()
  const pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'sim', hubs: 1, devices: 3, euiPrefix: 'a8' })
  await pool.end()
  client = new Client({ connectionString: database.url })
  await client.connect()
  startedAtMs = await databaseNowMs(database.url)
})
afterAll(async () => {
  await client.end()
  await database.drop()
})
beforeEach(() => client.query('TRUNCATE sensor_readings, door_events, pipeline.rejected_payloads CASCADE'))

const device = (index: number) => fleet.devices[index % fleet.devices.length] ?? { id: 0, devEui: '' }

function sentReadings(): SentReading[] {
  return Array.from({ length: READINGS }, (_, index) => ({
    device: device(index).devEui,
    at: startedAtMs + index * 10,
    ...(index % 7 === 0 ? { fault: 'no_probe' as const } : { temperature: index / 10 - 3, snr: -7.25 }),
    ...(index % 3 === 0 ? { humidity: 51.23, battery: 87.5, rssi: -90.5 } : {}),
  }))
}

/** Everything that a run may leave behind, acknowledged, and stored as FrostGuard stores it. */
async function storedRun(): Promise<Ledger> {
  const devices = fleet.devices.map(({ devEui }) => devEui)
  const ledger = new Ledger({ organization: 'sim', devices, clients: ['hub-1'], startedAtMs })
  const readings = sentReadings()
  const doors = [0, 1].map((index) => ({
    device: device(index).devEui,
    at: startedAtMs + index,
    state: index === 0 ? ('open' as const) : ('closed' as const),
  }))
  const sent = message({ readings, doors, rejects: ['clock'] })
  ledger.attempt(sent)
  if (sent.entry) ledger.acknowledge(sent.entry)
  for (const reading of readings) await insertReading(reading)
  for (const door of doors) await insertDoor(door)
  await insertReject('clock')
  return ledger
}

/** Halves go up, as docs/protocol.md says. */
const whole = (value: number | undefined) => (value === undefined ? null : Math.floor(value + 0.5))

async function insertReading(reading: SentReading, receivedAtMs = startedAtMs + 1_000): Promise<void> {
  const { device: devEui, at, temperature, humidity, snr, rssi, battery, fault } = reading
  await client.query(
    `INSERT INTO sensor_readings (device_id, recorded_at, received_at, batch_id, organization_id, temperature, humidity,
       snr, rssi, battery, fault, source)
     SELECT id, to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000), 1, organization_id, $4, $5, $6, $7, $8,
       $9, 'hub' FROM devices WHERE device_eui = $1`,
    [devEui, at, receivedAtMs, temperature, humidity, snr, whole(rssi), whole(battery), fault],
  )
}

async function insertDoor({ device: devEui, at, state }: SentDoor): Promise<void> {
  await client.query(
    `INSERT INTO door_events (device_id, occurred_at, received_at, batch_id, organization_id, state, source)
     SELECT id, to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000), 1, organization_id, $4, 'hub'
     FROM devices WHERE device_eui = $1`,
    [devEui, at, startedAtMs + 1_000, state],
  )
}

async function insertReject(reason: string): Promise<void> {
  await client.query(
    `WITH payload AS (INSERT INTO pipeline.rejected_payloads (batch_id, topic, client, received_at, size_bytes, payload)
       VALUES (1, 'v1/hubs/hub-1/readings', 'hub-1', clock_timestamp(), 1, '\\x00') RETURNING id)
     INSERT INTO pipeline.rejected_messages (payload_id, reason, detail, topic, client, received_at)
     SELECT id, $1, 'detail', 'v1/hubs/hub-1/readings', 'hub-1', clock_timestamp() FROM payload`,
    [reason],
  )
}

const verify = (ledger: Ledger) => verifyLedger(database.url, ledger)

test('a database that is as it was sent equals the ledger', async () => {
  const books = await verify(await storedRun())
  expect(formatBooks(books)).toContain('The database equals the ledger.')
  expect(books).toMatchObject({
    isOff: false,
    readings: { published: READINGS, acknowledged: READINGS, stored: READINGS },
    doors: { published: 2, stored: 2 },
    rejects: [{ reason: 'clock', sent: 1, acknowledged: 1, kept: 1 }],
  })
})

test('a ledger of which nothing was acknowledged proves nothing', async () => {
  const devices = fleet.devices.map(({ devEui }) => devEui)
  const ledger = new Ledger({ organization: 'sim', devices, clients: ['hub-1'], startedAtMs })
  ledger.attempt(message({ readings: sentReadings() }))
  const books = await verify(ledger)
  expect(books.isOff).toBe(false)
  expect(formatBooks(books)).toContain(
    'Nothing was acknowledged, so the database equals the ledger and proves nothing.',
  )
})

describe('a database that was tampered with', () => {
  const tenth = () => `recorded_at = to_timestamp(${startedAtMs + 100} / 1000.0)`
  const NONE = { missing: 0, phantom: 0, wrong: 0, double: 0 }

  test.each([
    ['a reading is gone', () => `DELETE FROM sensor_readings WHERE ${tenth()}`, { missing: 1 }],
    [
      'a temperature is another',
      () => `UPDATE sensor_readings SET temperature = temperature + 0.01 WHERE ${tenth()}`,
      { wrong: 1 },
    ],
    ['a value is gone', () => `UPDATE sensor_readings SET snr = NULL WHERE ${tenth()}`, { wrong: 1 }],
    ['a fault came up', () => `UPDATE sensor_readings SET fault = 'stuck' WHERE ${tenth()}`, { wrong: 1 }],
    [
      'a reading is at another time',
      () => `UPDATE sensor_readings SET recorded_at = recorded_at + interval '1 ms' WHERE ${tenth()}`,
      { missing: 1, phantom: 1 },
    ],
    [
      'a reading is of another device',
      () => `UPDATE sensor_readings SET device_id = ${device(2).id} WHERE ${tenth()}`,
      { missing: 1, phantom: 1 },
    ],
  ])('%s', async (_what, sql, expected) => {
    const ledger = await storedRun()
    expect((await client.query(sql())).rowCount).toBe(1)
    const books = await verify(ledger)
    expect(books.readings.problems).toEqual({ ...NONE, ...expected })
    expect(books.doors.problems).toEqual(NONE)
    expect(books.isOff).toBe(true)
    const text = formatBooks(books)
    expect(text).toContain('The database differs from the ledger.')
    expect(text).toContain(new Date(startedAtMs + 100).toISOString())
    expect(text).toContain(device(10).devEui)
  })

  test('a reading that nobody sent, also far away in time', async () => {
    const ledger = await storedRun()
    await insertReading({ device: device(0).devEui, at: Date.UTC(2020, 0, 1), temperature: 4 })
    expect((await verify(ledger)).readings.problems).toEqual({ ...NONE, phantom: 1 })
  })

  test('one that was received before the run is none of its business', async () => {
    const ledger = await storedRun()
    const old = { device: device(0).devEui, at: startedAtMs + 5, temperature: 4 }
    await insertReading(old, startedAtMs - 1)
    expect((await verify(ledger)).isOff).toBe(false)
  })

  test('door events: one gone, one turned round, one too many', async () => {
    const ledger = await storedRun()
    await client.query(`DELETE FROM door_events WHERE state = 'closed'`)
    await client.query(`UPDATE door_events SET state = 'closed'`)
    await insertDoor({ device: device(2).devEui, at: startedAtMs + 7, state: 'open' })
    const { doors, readings, isOff } = await verify(ledger)
    expect(doors.problems).toEqual({ missing: 1, wrong: 1, phantom: 1, double: 0 })
    expect(readings.problems).toEqual(NONE)
    expect(isOff).toBe(true)
  })

  test('a reject is gone, or there is one that was not meant to be', async () => {
    const ledger = await storedRun()
    await insertReject('invalid')
    await client.query(`DELETE FROM pipeline.rejected_messages WHERE reason = 'clock'`)
    const { rejects, isOff } = await verify(ledger)
    expect(rejects).toMatchObject([
      { reason: 'clock', kept: 0, isOff: true },
      { reason: 'invalid', kept: 1, isOff: true },
    ])
    expect(isOff).toBe(true)
  })
})

test('the wrong database is told as a sentence', async () => {
  const ledger = await storedRun()
  const strange = new Ledger({ ...ledger.subject, devices: [...ledger.subject.devices, 'ffffffffffffffff'] })
  await expect(verify(strange)).rejects.toThrow('has not 1 of the 4 devices of organization "sim"')
})

test('a reading that is there twice, which the keys forbid: they are taken away for this', async () => {
  const ledger = await storedRun()
  await client.query(DROP_KEYS)
  const tenth = [startedAtMs + 100]
  await client.query(
    'INSERT INTO sensor_readings SELECT * FROM sensor_readings WHERE recorded_at = to_timestamp($1::float8 / 1000)',
    tenth,
  )
  const books = await verify(ledger)
  expect(books.readings.problems).toEqual({ missing: 0, phantom: 0, wrong: 0, double: 1 })
  expect(books.isOff).toBe(true)
})

/** Those of the table and of its partitions. */
const DROP_KEYS = `DO $$
  DECLARE
    key record;
  BEGIN
    ALTER TABLE public.sensor_readings DROP CONSTRAINT IF EXISTS sensor_readings_pkey;
    FOR key IN
      SELECT i.indexrelid::regclass AS name FROM pg_index i JOIN pg_inherits h ON h.inhrelid = i.indrelid
      WHERE h.inhparent = 'public.sensor_readings'::regclass AND i.indisunique
    LOOP
      EXECUTE format('DROP INDEX %s', key.name);
    END LOOP;
  END $$`
