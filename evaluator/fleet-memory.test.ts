/** Which units are loaded again after a change, and that none is missed. */
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { configChangesSince } from '../db/evaluation/config-changes.ts'
import { configVersion } from '../db/evaluation/config-version.ts'
import { doorOf, storeBatch } from '../db/evaluation/testing/batches.ts'
import { writeRuleStates } from '../db/evaluation/write-states.ts'
import { createTestFleet, type TestFleet } from '../db/testing/fleet.ts'
import { createTestDatabase, type TestDatabase } from '../db/testing/test-database.ts'
import { Random } from '../simulators/random.ts'
import { randomSeed } from '../simulators/testing/rates.ts'
import { applyInputs } from './apply-inputs.ts'
import { loadUnitConfigs } from './config/unit-configs.ts'
import { newDeviceState } from './core/device.ts'
import { newHearing } from './core/silence.ts'
import type { ReadingInput } from './core/types.ts'
import { FleetMemory } from './fleet-memory.ts'
import type { Read } from './reads.ts'
import { updateStatus } from './status.ts'
import { every } from './testing/judging.ts'
import { readsOf } from './testing/reads.ts'
import { type DeviceContext, OPEN_END_MS, takeUp, type UnitContext } from './unit-context.ts'

const SEED = randomSeed()
const MANY_UNITS = 10_000
const NOW_SECONDS = Math.floor(Date.now() / 1_000)

let database: TestDatabase
let pool: Pool
/** Two units at a site, a third one at another; and one of another organization. */
let fleet: TestFleet
let other: TestFleet
let secondUnit: number
let thirdUnit: number
let secondSite: number
let secondArea: number

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
let fleets = 0
beforeEach(async () => {
  pool = new Pool({ connectionString: database.url })
  fleets += 2
  const euiPrefix = (number: number) => number.toString(16).padStart(4, '0')
  const size = { hubs: 1, devices: 2 }
  fleet = await createTestFleet(pool, { slug: `a-${fleets}`, euiPrefix: euiPrefix(fleets), ...size })
  other = await createTestFleet(pool, { slug: `b-${fleets}`, euiPrefix: euiPrefix(fleets + 1), ...size })
  const { organizationId, unitId } = fleet
  secondSite = await one(
    `INSERT INTO sites (organization_id, name) VALUES (${organizationId}, 'Second') RETURNING id`,
  )
  secondArea = await one(
    `INSERT INTO areas (organization_id, site_id, name) VALUES (${organizationId}, ${secondSite}, 'Second') RETURNING id`,
  )
  const unitIn = (area: string, name: string) =>
    one(
      `INSERT INTO units (organization_id, area_id, name, unit_type) VALUES (${organizationId}, ${area}, '${name}', 'fridge') RETURNING id`,
    )
  secondUnit = await unitIn(`(SELECT area_id FROM units WHERE id = ${unitId})`, 'Second')
  thirdUnit = await unitIn(`${secondArea}`, 'Third')
})
afterEach(() => pool.end())

async function one(sql: string): Promise<number> {
  const { rows } = await pool.query<{ id: number }>(sql)
  return rows[0]?.id ?? 0
}

const rule = (scope: { siteId?: number; unitId?: number; limit?: number } = {}) => `
  INSERT INTO alert_rules (organization_id, site_id, unit_id, name, alert_type, severity, condition_type, condition)
  VALUES (${fleet.organizationId}, ${scope.siteId ?? null}, ${scope.unitId ?? null}, 'Warm ' || gen_random_uuid(), 'alarm_active',
    'critical', 'temperature_above', '{"limit": ${scope.limit ?? 5}}')`
const device = () => fleet.devices[0]?.id ?? 0

/** Of the first device. */
const ofDevice = (reading: ReadingInput): ReadingInput => ({ ...reading, deviceId: device() })

function unitOf({ units }: FleetMemory): UnitContext {
  const unit = units.get(fleet.unitId)
  if (!unit) throw new Error('The unit was expected to be there')
  return unit
}

function deviceOf({ devices }: UnitContext, deviceId: number): DeviceContext {
  const found = devices.get(deviceId)
  if (!found) throw new Error('The unit was expected to have the device')
  return found
}

async function openMemory(onRows: (count: number) => void = () => {}): Promise<FleetMemory> {
  const once = countedReads(onRows)
  const reads = { once, untilAnswered: once }
  const memory = new FleetMemory({ reads, nowMs: Date.now, onDefect: () => {} })
  await memory.load()
  return memory
}

/** Reads that tell how many rows each statement has got. */
function countedReads(onRows: (count: number) => void): Read {
  return (read) =>
    readsOf(pool).once((client) => {
      const query = client.query.bind(client) as (...given: unknown[]) => Promise<{ rows: unknown[] }>
      const counting = async (...given: unknown[]) => {
        const result = await query(...given)
        onRows(result.rows.length)
        return result
      }
      return read(Object.create(client, { query: { value: counting } }))
    })
}

describe('a change concerns', () => {
  const all = () => [fleet.unitId, secondUnit, thirdUnit]
  const changes: [string, () => string, () => number[]][] = [
    ['all units of an organization: its rule', () => rule(), all],
    [
      'all units of an organization: its time zone',
      () => `UPDATE organizations SET timezone = 'UTC' WHERE id = ${fleet.organizationId}`,
      all,
    ],
    ['the units of a site: its rule', () => rule({ siteId: fleet.siteId }), () => [fleet.unitId, secondUnit]],
    [
      'the units of a site: its time zone',
      () => `UPDATE sites SET timezone = 'UTC' WHERE id = ${secondSite}`,
      () => [thirdUnit],
    ],
    ['one unit: its rule', () => rule({ unitId: secondUnit }), () => [secondUnit]],
    ['one unit: its limit', () => `UPDATE units SET temp_max = 7 WHERE id = ${thirdUnit}`, () => [thirdUnit]],
    [
      "one unit: a device's interval",
      () => `UPDATE devices SET reporting_interval_seconds = 60 WHERE id = ${device()}`,
      () => [fleet.unitId],
    ],
    [
      'both units: a device that moves',
      () => `UPDATE devices SET unit_id = ${thirdUnit} WHERE id = ${device()}`,
      () => [fleet.unitId, thirdUnit],
    ],
    [
      'one unit: a calibration',
      () =>
        `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
         VALUES (${fleet.organizationId}, ${device()}, 1, now())`,
      () => [fleet.unitId],
    ],
    [
      'the units of an area that moves to another site, and what is there',
      () => `UPDATE areas SET site_id = ${fleet.siteId} WHERE id = ${secondArea}`,
      all,
    ],
    [
      'nobody: what readings change',
      () => `UPDATE units SET status = 'ok', last_reading_at = now() WHERE id = ${thirdUnit}`,
      () => [],
    ],
    [
      'one unit: its end',
      () => `UPDATE units SET deleted_at = now() WHERE id = ${thirdUnit}`,
      () => [thirdUnit],
    ],
  ]

  test.each(changes)('%s', async (_, sql, expected) => {
    const before = await configVersion(pool)
    await pool.query(sql())
    const { concerned, version } = await configChangesSince(pool, before)
    expect(concerned?.unitIds.toSorted((a, b) => a - b)).toEqual(expected().toSorted((a, b) => a - b))
    expect(version).toBe(await configVersion(pool))
  })

  test('everything, where a table was emptied, and where too much has changed to tell', async () => {
    const before = await configVersion(pool)
    await pool.query('TRUNCATE calibration_records')
    expect((await configChangesSince(pool, before)).concerned).toBeUndefined()
    const since = await configVersion(pool)
    await pool.query(`DO $$ BEGIN FOR n IN 1..1001 LOOP
      UPDATE units SET temp_max = n % 50 WHERE id = ${thirdUnit}; END LOOP; END $$`)
    expect((await configChangesSince(pool, since)).concerned).toBeUndefined()
    expect((await configChangesSince(pool, since + 1_000n)).concerned?.unitIds).toEqual([thirdUnit])
  })
})

test('what is committed by two at once is found, in whichever order they began', async () => {
  const memory = await openMemory()
  const [early, late] = [await pool.connect(), await pool.connect()]
  await early.query('BEGIN; SELECT pg_current_xact_id()')
  await late.query(`BEGIN; UPDATE units SET temp_max = 1 WHERE id = ${secondUnit}`)
  const waiting = early.query(`UPDATE units SET temp_max = 2 WHERE id = ${thirdUnit}`)
  await late.query('COMMIT')
  await waiting
  expect((await memory.refresh()).map(({ config }) => config.unitId)).toEqual([secondUnit])
  await early.query('COMMIT')
  expect((await memory.refresh()).map(({ config }) => config.unitId)).toEqual([thirdUnit])
  early.release()
  late.release()
})

test('a unit that was deleted and comes back is known as a new one loads it', async () => {
  const client = await pool.connect()
  const state = { readings: { ...newDeviceState(), atMs: 5_000, recordedAtMs: 5_000 }, hearing: newHearing() }
  const row = { unitId: fleet.unitId, deviceId: device(), state: JSON.stringify(state), newestAtMs: 5_000 }
  await writeRuleStates(client, [row])
  client.release()
  await pool.query(`UPDATE devices SET device_type = 'temperature_door' WHERE id = ${device()}`)
  await storeBatch(pool, { doors: [doorOf(fleet, 0, Date.now())] })
  const memory = await openMemory()
  const known = ({ units }: FleetMemory) => {
    const unit = units.get(fleet.unitId)
    return unit && { doors: unit.doors.events, state: unit.devices.get(device())?.state }
  }
  expect(known(memory)).toMatchObject({ doors: [{ isOpen: true }], state: { atMs: 5_000 } })
  const before = known(memory)
  await pool.query(`UPDATE units SET deleted_at = now() WHERE id = ${fleet.unitId}`)
  await memory.refresh()
  expect(known(memory)).toBeUndefined()
  await pool.query(`UPDATE units SET deleted_at = NULL WHERE id = ${fleet.unitId}`)
  expect((await memory.refresh()).map(({ config }) => config.unitId)).toEqual([fleet.unitId])
  expect(known(memory)).toEqual(before)
})

test('what comes of a device that was put off does not wait for it when its unit is configured otherwise', async () => {
  const memory = await openMemory()
  const known = () => memory.units.get(fleet.unitId)?.devices.get(device())
  const before = known()
  if (!before) throw new Error('The unit was expected to have the device')
  before.isPutOff = true
  await pool.query(rule({ unitId: fleet.unitId }))
  await memory.refresh()
  expect(known()).not.toBe(before)
  expect(known()?.isPutOff).toBe(true)
})

describe('while a device of a unit cannot be read', () => {
  /** Heard a moment ago, by a rule that it is inside of, in a unit of which another device is still to be heard. */
  async function openHeard(): Promise<{
    memory: FleetMemory
    heard: () => DeviceContext
    unit: () => UnitContext
  }> {
    await pool.query(rule({ unitId: fleet.unitId }))
    await pool.query(`UPDATE units SET status = 'ok' WHERE id = ${fleet.unitId}`)
    const memory = await openMemory()
    const unit = () => unitOf(memory)
    const heard = () => deviceOf(unit(), device())
    takeUp(unit(), new Map())
    heard().isUnheard = false
    heard().late = undefined
    applyInputs(unit(), { readings: every(300, [3, 3], NOW_SECONDS - 300).map(ofDevice), doors: [] })
    expect(updateStatus(unit(), NOW_SECONDS * 1_000)).toBe(false)
    return { memory, heard, unit }
  }

  test('its status follows a limit that is changed', async () => {
    const { memory, unit } = await openHeard()
    await pool.query(`UPDATE units SET temp_max = 2 WHERE id = ${fleet.unitId}`)
    await memory.refresh()
    expect(updateStatus(unit(), NOW_SECONDS * 1_000)).toBe(true)
    expect(unit().status).toBe('excursion')
  })

  test('what was heard of the others is not to be heard again, and that device still is', async () => {
    const { memory, heard, unit } = await openHeard()
    await pool.query(`UPDATE units SET temp_max = 2 WHERE id = ${fleet.unitId}`)
    await memory.refresh()
    expect([heard().isUnheard, heard().late?.toMs]).toEqual([false, NOW_SECONDS * 1_000])
    expect(deviceOf(unit(), fleet.devices[1]?.id ?? 0)).toMatchObject({
      isUnheard: true,
      late: { toMs: OPEN_END_MS },
    })
  })
})

test('a unit that was deleted while it was closed is not opened again', async () => {
  const memory = await openMemory()
  memory.close(thirdUnit)
  await pool.query(`UPDATE units SET deleted_at = now() WHERE id = ${thirdUnit}`)
  expect(await memory.reopen(thirdUnit, new Map())).toBeUndefined()
})

test('a stored state that is broken inside is folded again from the rows, and keeps no other unit from opening', async () => {
  await pool.query(rule({ unitId: fleet.unitId }))
  const [config] = await loadUnitConfigs(pool, [fleet.unitId])
  // Of these rules, but without what was known of them.
  const ofRules = config?.tracks.map(() => null) ?? []
  const readings = { ...newDeviceState(), atMs: 5_000, recordedAtMs: 5_000, tracks: ofRules }
  const state = JSON.stringify({ readings, hearing: newHearing(), offsets: [] })
  const client = await pool.connect()
  await writeRuleStates(client, [{ unitId: fleet.unitId, deviceId: device(), state, newestAtMs: 5_000 }])
  client.release()
  const { units } = await openMemory()
  expect(units.has(secondUnit)).toBe(true)
  expect(units.get(fleet.unitId)?.devices.get(device())).toMatchObject({ late: { fromMs: 0 } })
})

test(`after any changes it knows what a new one loads, seed ${SEED}`, async () => {
  const random = new Random(SEED)
  const memory = await openMemory()
  const units = () => random.pick([fleet.unitId, secondUnit, thirdUnit, other.unitId])
  const sites = () => random.pick([fleet.siteId, secondSite])
  const devices = () => random.pick([...fleet.devices, ...other.devices]).id
  const anyRule = `(SELECT id FROM alert_rules WHERE organization_id = ${fleet.organizationId} ORDER BY random() LIMIT 1)`
  const draws = [
    () => rule({ limit: random.integer(1, 9) }),
    () => rule({ siteId: sites(), limit: random.integer(1, 9) }),
    () => rule({ unitId: random.pick([fleet.unitId, secondUnit, thirdUnit]), limit: random.integer(1, 9) }),
    () => `UPDATE alert_rules SET condition = '{"limit": ${random.integer(1, 9)}}' WHERE id = ${anyRule}`,
    () => `UPDATE alert_rules SET enabled = NOT enabled WHERE id = ${anyRule}`,
    () => `UPDATE alert_rules SET deleted_at = now() WHERE id = ${anyRule}`,
    () => `UPDATE units SET temp_max = ${random.integer(1, 9)} WHERE id = ${units()}`,
    () => `UPDATE units SET monitoring_enabled = NOT monitoring_enabled WHERE id = ${units()}`,
    () => `UPDATE units SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = ${units()}`,
    () => `UPDATE areas SET site_id = ${sites()} WHERE id = ${secondArea}`,
    () =>
      `UPDATE organizations SET timezone = '${random.pick(['UTC', 'Asia/Tokyo'])}' WHERE id = ${other.organizationId}`,
    () => `UPDATE sites SET timezone = '${random.pick(['UTC', 'Asia/Tokyo'])}' WHERE id = ${sites()}`,
    () =>
      `UPDATE devices SET reporting_interval_seconds = ${random.integer(1, 9) * 60} WHERE id = ${devices()}`,
    () =>
      `UPDATE devices SET unit_id = ${random.pick([fleet.unitId, secondUnit, thirdUnit])} WHERE id = ${fleet.devices[0]?.id}`,
    () =>
      `UPDATE devices SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = ${devices()}`,
    () => `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
      SELECT organization_id, id, ${random.integer(-3, 3)}, now() FROM devices WHERE id = ${devices()}`,
    () => `DELETE FROM calibration_records WHERE device_id = ${devices()}`,
  ]
  for (let change = 0; change < 120; change += 1) {
    const sql = random.pick(draws)()
    await pool.query(sql)
    if (random.chance(0.3)) continue
    await memory.refresh()
    const known = [...memory.units.values()].map(({ config }) => config)
    const expected = await loadUnitConfigs(pool)
    expect(
      known.toSorted((a, b) => a.unitId - b.unitId),
      sql,
    ).toEqual(expected)
    const offsets = [...memory.offsets].filter(([, ofDevice]) => ofDevice.length > 0)
    const fresh = await openMemory()
    expect(new Map(offsets), sql).toEqual(fresh.offsets)
  }
})

test('of ten thousand units, those are loaded again that a change is about', async () => {
  await pool.query(
    `INSERT INTO units (organization_id, area_id, name, unit_type)
     SELECT organization_id, area_id, 'Unit ' || n, 'fridge' FROM units, generate_series(1, ${MANY_UNITS}) n WHERE id = ${other.unitId}`,
  )
  let rows = 0
  const memory = await openMemory((count) => {
    rows += count
  })
  expect(memory.units.size).toBeGreaterThan(MANY_UNITS)
  expect(rows).toBeGreaterThan(MANY_UNITS)
  const refreshed = async (sql: string) => {
    await pool.query(sql)
    rows = 0
    return memory.refresh()
  }
  expect(await refreshed(rule({ unitId: secondUnit }))).toHaveLength(1)
  expect(rows).toBeLessThan(20)
  expect(await refreshed(rule({ limit: 3 }))).toHaveLength(2)
  expect(rows).toBeLessThan(20)
  const offset = `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
    VALUES (${fleet.organizationId}, ${device()}, -1.5, now())`
  await refreshed(offset)
  expect(memory.offsets.get(device())).toMatchObject([{ offsetCenti: -150 }])
  expect(rows).toBeLessThan(20)
  expect(await refreshed('SELECT 1')).toEqual([])
})
