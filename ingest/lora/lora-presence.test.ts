import { Pool } from 'pg'
import { pino } from 'pino'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestFleet } from '../../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../../db/testing/test-database.ts'
import { LoraPresence } from './lora-presence.ts'

const T0 = Date.UTC(2026, 10, 20)
const DEV_ADDR = '01020304'

let database: TestDatabase
let pool: Pool
let presence: LoraPresence
let deviceId: number

beforeEach(async () => {
  database = await createTestDatabase()
  pool = new Pool({ connectionString: database.url })
  const fleet = await createTestFleet(pool, { slug: 'lora', euiPrefix: 'a8', hubs: 1, devices: 1 })
  const device = fleet.devices[0]
  deviceId = device?.id ?? 0
  await pool.query('INSERT INTO lora_sensors (organization_id, device_id, dev_eui) VALUES ($1, $2, $3)', [
    fleet.organizationId,
    deviceId,
    device?.devEui,
  ])
  presence = new LoraPresence({ pool, log: pino({ level: 'silent' }) })
})
afterEach(async () => {
  await pool.end()
  await database.drop()
})

const heard = (fCnt: number, second: number) =>
  presence.heard(deviceId, { fCnt, devAddr: DEV_ADDR, atMs: T0 + second * 1_000 })

async function sensor() {
  const { rows } = await pool.query(
    `SELECT last_f_cnt::int AS "fCnt", f_cnt_gaps AS gaps, f_cnt_resets AS resets, dev_addr AS "devAddr", battery
     FROM lora_sensors s JOIN devices d ON d.id = s.device_id`,
  )
  return rows[0]
}

test('what was heard is written at the latest when it stops', async () => {
  presence.start()
  heard(5, 1)
  heard(8, 2)
  presence.reported(deviceId, { atMs: T0 + 3_000, percent: 61 })
  presence.reported(deviceId, { atMs: T0 + 1_000, percent: 90 })
  await presence.stop()
  expect(await sensor()).toEqual({ fCnt: 8, gaps: 2, resets: 0, devAddr: DEV_ADDR, battery: 61 })
})

test('what could not be written is written later, in one with what has come meanwhile', async () => {
  presence.start()
  heard(5, 1)
  heard(7, 2)
  await pool.query('ALTER TABLE lora_sensors RENAME TO elsewhere')
  await presence.stop()
  await pool.query('ALTER TABLE elsewhere RENAME TO lora_sensors')
  expect(await sensor()).toMatchObject({ fCnt: null })
  heard(10, 3)
  heard(0, 4)
  await presence.stop()
  expect(await sensor()).toMatchObject({ fCnt: 0, gaps: 3, resets: 1 })
})
