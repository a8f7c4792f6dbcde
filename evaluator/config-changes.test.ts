/** What people change while readings arrive: rules, limits, units and hubs that go away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { hand } from './testing/handing.ts'

const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 } }
/** Beyond at 5, raised at 15. */
const RAISED = [
  [5, 6],
  [10, 6],
  [15, 6],
  [20, 6],
] as const
/** Time in which changed rules are looked for, and the clock judges. */
const LOOKS_MS = 2_500

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const execute = (sql: string, values: unknown[] = []) => fleet.db.$client.query(sql, values)

test('a rule that is changed between two saves leaves neither an old state nor an old status behind', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_SAVE_MS: '6000' } })
  await until('it evaluates', () => evaluator.isActive)
  await fleet.commit([[28, 3]])
  await until('it is heard', async () => (await unit()).status !== 'offline')
  await fleet.applyRules([{ ...TOO_WARM, condition: { ...TOO_WARM.condition, limit: 2, hysteresis: 0 } }])
  await until('it is beyond the new limit', async () => (await unit()).status === 'excursion')
  await fleet.commit([[29, 6]])
  await fleet.evaluated()
  expect(await unit()).toEqual({ status: 'excursion', temperature: 6 })
  const { rows } = await execute(
    `SELECT (extract(epoch FROM newest_at) * 1000)::float8 AS "newestMs" FROM pipeline.rule_states`,
  )
  expect(rows).toEqual([{ newestMs: fleet.beginMs + 29 * 60_000 }])
  expect(await fleet.failures()).toBe(0)
})

test.each(['999', `'NaN'`])(
  'a limit of a unit that nobody can judge, %s, stops no other one',
  async (limit) => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
    const evaluator = fleet.startEvaluator()
    await until('it evaluates', () => evaluator.isActive)
    await execute(`UPDATE units SET temp_max = ${limit}`)
    await sleep(LOOKS_MS)
    await fleet.commit(RAISED)
    await fleet.evaluated()
    expect(await fleet.alerts()).toMatchObject([{ rule: 'Too warm', started: 5, triggered: 15 }])
    expect(await fleet.failures()).toBe(0)
  },
)

test('a unit that is deleted has no open alert any more', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
  fleet.startEvaluator()
  await fleet.commit(RAISED)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ status: 'active' }])
  await execute('UPDATE units SET deleted_at = now()')
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'rule_changed' }])
})

test('a unit that is deleted while nobody evaluates has no open alert any more', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
  const first = fleet.startEvaluator()
  await fleet.commit(RAISED)
  await fleet.evaluated()
  await first.stop()
  await execute('UPDATE units SET deleted_at = now()')
  fleet.startEvaluator()
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'rule_changed' }])
})

test('a hub that is deleted while it is away has no open alert any more', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await fleet.commit([[0, 3]], 0, 0)
  await execute(`UPDATE hubs SET is_online = false, status_at = now() - interval '35 minutes'`)
  const first = fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await first.stop()
  fleet.startEvaluator()
  await execute('UPDATE hubs SET deleted_at = now()')
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'rule_changed' }])
})

test('what a unit said last is what its sensor said, though it is judged calibrated', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
  await calibrate('-1.5')
  fleet.startEvaluator()
  await fleet.commit([
    [5, 7],
    [10, 7],
    [15, 7.25],
  ])
  await fleet.evaluated()
  expect((await unit()).temperature).toBe(7.25)
  expect(await fleet.alerts()).toMatchObject([{ peak: 5.75 }])
})

test('an offset that is no number stops nobody', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
  await calibrate('NaN')
  fleet.startEvaluator()
  await fleet.commit(RAISED)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ peak: 6 }])
  expect(await fleet.failures()).toBe(0)
})

test.each([true, false])(
  'an offset that is entered afterwards holds for what was judged before (evaluated meanwhile: %s)',
  async (isEvaluated) => {
    fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 20 })
    const first = fleet.startEvaluator()
    await fleet.commit(RAISED)
    await fleet.evaluated()
    expect(await fleet.alerts()).toMatchObject([{ status: 'active' }])
    if (!isEvaluated) await first.stop()
    await calibrate('-3')
    if (!isEvaluated) fleet.startEvaluator()
    await until('it is withdrawn', async () => (await fleet.alerts())[0]?.resolution === 'withdrawn')
  },
)

test('a device that is new and calibrated is judged so from its first reading on', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await fleet.commit([[0, 3]])
  await fleet.evaluated()
  // So that the ledger cannot show what is handed over: it would be read as it is calibrated.
  const holder = await fleet.db.$client.connect()
  try {
    await holder.query('BEGIN; SELECT pg_current_xact_id()')
    fleet.devices.push(await addCalibratedDevice('-3'))
    const batch = await fleet.commit(RAISED, 1)
    hand(evaluator, batch, batch.id)
    await until('it is judged', async () => (await states()) === 2)
  } finally {
    await holder.query('ROLLBACK')
    holder.release()
  }
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
})

async function states(): Promise<number | null> {
  return (await execute('SELECT FROM pipeline.rule_states WHERE newest_at IS NOT NULL')).rowCount
}

/** As a fleet file does, in one transaction. */
async function addCalibratedDevice(offset: string): Promise<number> {
  const { rows } = await execute(
    `WITH added AS (
       INSERT INTO devices (organization_id, unit_id, hub_id, device_type, device_eui, reporting_interval_seconds)
       SELECT organization_id, unit_id, hub_id, device_type, 'a840410000001111', reporting_interval_seconds
       FROM devices WHERE device_type = 'temperature' RETURNING id, organization_id)
     INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
     SELECT organization_id, id, $1, now() - interval '1 day' FROM added RETURNING device_id AS "deviceId"`,
    [offset],
  )
  return rows[0].deviceId
}

/** Its sensors read so much too much. */
async function calibrate(offset: string): Promise<void> {
  await execute(
    `INSERT INTO calibration_records (organization_id, device_id, temperature_offset, calibrated_at)
     SELECT organization_id, id, $1, now() - interval '1 day' FROM devices WHERE device_type = 'temperature'`,
    [offset],
  )
}

async function unit(): Promise<{ status: string; temperature: number | null }> {
  const { rows } = await execute('SELECT status, last_temperature AS temperature FROM units')
  return rows[0]
}
