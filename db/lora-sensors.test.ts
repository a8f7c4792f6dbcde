import { Pool } from 'pg'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type LoraSighting, recordLoraSightings } from './lora-sensors.ts'
import { createTestFleet, type TestFleet } from './testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from './testing/test-database.ts'

const T0 = Date.UTC(2026, 10, 20)
const SESSION = '01020304'
const NEXT_SESSION = '0a0b0c0d'

let database: TestDatabase
let pool: Pool
let fleet: TestFleet
let deviceId: number

beforeAll(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  fleet = await createTestFleet(pool, { slug: 'lora', euiPrefix: 'a8', hubs: 1, devices: 50 })
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})
beforeEach(async () => {
  const device = fleet.devices.pop()
  deviceId = device?.id ?? 0
  await pool.query('INSERT INTO lora_sensors (organization_id, device_id, dev_eui) VALUES ($1, $2, $3)', [
    fleet.organizationId,
    deviceId,
    device?.devEui,
  ])
})

const frame = (fCnt: number, second: number, devAddr = SESSION) => ({
  fCnt,
  devAddr,
  atMs: T0 + second * 1_000,
})

/** One uplink, or several of which these are the first and the last. */
function heard(
  first: ReturnType<typeof frame>,
  last = first,
  counts = { gaps: 0, resets: 0 },
): Promise<void> {
  return record({ seenAtMs: last.atMs, uplinks: { first, last, ...counts } })
}

function joined(second: number, devAddr = NEXT_SESSION): Promise<void> {
  const atMs = T0 + second * 1_000
  return record({ seenAtMs: atMs, join: { atMs, joinEui: '8000000000000001', devAddr } })
}

function record(sighting: Omit<LoraSighting, 'deviceId'>): Promise<void> {
  return recordLoraSightings(pool, [{ deviceId, ...sighting }])
}

async function sensor() {
  const { rows } = await pool.query(
    `SELECT last_f_cnt::float8 AS "fCnt", dev_addr AS "devAddr", join_eui AS "joinEui", f_cnt_gaps AS gaps, f_cnt_resets AS resets,
       (extract(epoch FROM last_uplink_at) * 1000)::float8 - ${T0} AS "uplinkMs",
       (extract(epoch FROM last_join_at) * 1000)::float8 - ${T0} AS "joinMs",
       (extract(epoch FROM d.last_seen_at) * 1000)::float8 - ${T0} AS "seenMs", d.battery
     FROM lora_sensors s JOIN devices d ON d.id = s.device_id WHERE s.device_id = $1`,
    [deviceId],
  )
  return rows[0]
}

test('the first uplink is kept, without a gap', async () => {
  await heard(frame(41, 1))
  expect(await sensor()).toMatchObject({
    fCnt: 41,
    devAddr: SESSION,
    gaps: 0,
    resets: 0,
    uplinkMs: 1_000,
    seenMs: 1_000,
  })
})

test('what is missing since the last one known is added to what is missing among the new ones', async () => {
  await heard(frame(10, 1))
  await heard(frame(13, 2), frame(20, 3), { gaps: 4, resets: 1 })
  expect(await sensor()).toMatchObject({ fCnt: 20, gaps: 6, resets: 1 })
})

test('a counter that is lower than the last one known is a reset; the same again is nothing', async () => {
  await heard(frame(10, 1))
  await heard(frame(10, 2))
  expect(await sensor()).toMatchObject({ gaps: 0, resets: 0, uplinkMs: 2_000 })
  await heard(frame(0, 3))
  expect(await sensor()).toMatchObject({ fCnt: 0, gaps: 0, resets: 1 })
})

test('a join begins a new session: its first frame is neither a gap nor a reset', async () => {
  await heard(frame(500, 1))
  await joined(2)
  expect(await sensor()).toMatchObject({
    fCnt: null,
    devAddr: NEXT_SESSION,
    joinEui: '8000000000000001',
    joinMs: 2_000,
    seenMs: 2_000,
  })
  await heard(frame(2, 3, NEXT_SESSION))
  expect(await sensor()).toMatchObject({ fCnt: 2, devAddr: NEXT_SESSION, gaps: 0, resets: 0 })
})

test('a join in one turn with uplinks of before it, or of after it', async () => {
  const before = frame(9, 1)
  const join = { atMs: T0 + 2_000, joinEui: null, devAddr: NEXT_SESSION }
  await record({ seenAtMs: join.atMs, join, uplinks: { first: before, last: before, gaps: 0, resets: 0 } })
  expect(await sensor()).toMatchObject({ fCnt: null, devAddr: NEXT_SESSION })
  const after = frame(1, 5, '11111111')
  const again = { atMs: T0 + 4_000, joinEui: null, devAddr: '11111111' }
  await record({
    seenAtMs: after.atMs,
    join: again,
    uplinks: { first: after, last: after, gaps: 0, resets: 0 },
  })
  expect(await sensor()).toMatchObject({ fCnt: 1, devAddr: '11111111', gaps: 0, resets: 0, joinMs: 4_000 })
})

test('what comes late or again changes nothing', async () => {
  await heard(frame(10, 5))
  await joined(6)
  await heard(frame(1, 7, NEXT_SESSION))
  const before = await sensor()
  await heard(frame(9, 4))
  await heard(frame(1, 7, NEXT_SESSION))
  await joined(3, '11111111')
  expect(await sensor()).toEqual(before)
})

test('battery and the time last seen are of the device, also of one without a radio side', async () => {
  await pool.query('DELETE FROM lora_sensors WHERE device_id = $1', [deviceId])
  await record({ seenAtMs: T0 + 1_000, battery: { atMs: T0 + 1_000, percent: 87 } })
  await heard(frame(1, 2))
  const { rows } = await pool.query('SELECT battery, last_seen_at AS at FROM devices WHERE id = $1', [
    deviceId,
  ])
  expect(rows).toEqual([{ battery: 87, at: new Date(T0 + 2_000) }])
})

test('a device that is heard for the first time, or again after its row was removed, has a row', async () => {
  const rows = async () =>
    (
      await pool.query(
        'SELECT last_f_cnt::float8 AS "fCnt", deleted_at AS "deletedAt" FROM lora_sensors WHERE device_id = $1',
        [deviceId],
      )
    ).rows
  await pool.query('DELETE FROM lora_sensors WHERE device_id = $1', [deviceId])
  await record({ seenAtMs: T0, battery: { atMs: T0, percent: 87 } })
  expect(await rows()).toEqual([])
  await heard(frame(7, 1))
  expect(await rows()).toEqual([{ fCnt: 7, deletedAt: null }])
  await pool.query('UPDATE lora_sensors SET deleted_at = now() WHERE device_id = $1', [deviceId])
  await heard(frame(8, 2))
  expect(await rows()).toEqual([{ fCnt: 8, deletedAt: null }])
})

test('counters of 32 bits do not overflow what is counted', async () => {
  await heard(frame(0, 1))
  await heard(frame(4_294_967_295, 2))
  expect(await sensor()).toMatchObject({ fCnt: 4_294_967_295, gaps: 2_147_483_647 })
})
