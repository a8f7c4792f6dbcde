/** A unit of many devices whose reads are slow, and never take too long for a statement: what is live does not wait for all of them. */
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { copyUnit } from './testing/copied-units.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { OPEN_END_MS } from './unit-context.ts'

/** A turn has time for a few of them. */
const SLOW = 8
const READ_SECONDS = 0.1
const LATE_MS = 300
const SLOW_CELSIUS = 6.66
const SLOW_READS = `
  CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT floor($1::float8 * 100 + 0.5)::integer
    + (SELECT 0 FROM pg_sleep(CASE WHEN $1 = ${SLOW_CELSIUS}::real THEN ${READ_SECONDS} ELSE 0 END)) $$`
/** More than an hour apart: what is late together is read together. */
const APART_MINUTES = 90
const MINUTES = APART_MINUTES * (SLOW + 1)
const LIVE = SLOW

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const slowDevices = Array.from({ length: SLOW }, (_, device) => device)
const minuteOf = (device: number) => device * APART_MINUTES
const liveExcursion = [5, 10, 15].map((minute) => [MINUTES - 60 + minute, -20] as const)
/** All that is too warm in a unit is one alert. */
const TOO_COLD = { name: 'Too cold', condition: { type: 'temperature_below', limit: -5, for_seconds: 600 } }
/** After ten minutes and a half. */
const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 2 } }

const alertsOf = async (name: string) => (await fleet.alerts()).filter(({ rule }) => rule === name)

/** Devices of which it is stored that something came late. */
async function devicesLeft(): Promise<number> {
  const { rows } = await fleet.db.$client.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM pipeline.rule_states WHERE state ? 'late'`,
  )
  return rows[0]?.left ?? 0
}

test('a live alert comes while devices of its unit are still folded again, and each of them is in its turn', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM, TOO_COLD], devices: SLOW + 1, minutes: MINUTES })
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_LATE_MS: String(LATE_MS) } })
  for (const device of slowDevices) {
    const from = minuteOf(device)
    await fleet.commit(
      [
        [from, 3],
        [from + 10, SLOW_CELSIUS],
        [from + 20, SLOW_CELSIUS],
      ],
      device,
    )
  }
  await fleet.commit([[MINUTES - 60, 3]], LIVE)
  await fleet.evaluated()
  await fleet.db.$client.query(SLOW_READS)
  const holder = await fleet.db.$client.connect()
  await holder.query('BEGIN; SELECT pg_current_xact_id()')
  // It was good in between for all of them but the last.
  for (const device of slowDevices)
    await fleet.commit([[minuteOf(device) + 15, device < SLOW - 1 ? 3 : 7]], device)
  await fleet.commit(liveExcursion, LIVE)
  await holder.query('ROLLBACK')
  holder.release()
  await until('what is live is raised', async () => (await alertsOf('Too cold')).length > 0)
  expect(await devicesLeft()).toBeGreaterThan(0)
  await until('the others are judged', async () => (await devicesLeft()) === 0)
  await fleet.evaluated()
  expect(await alertsOf('Too warm')).toMatchObject([{ started: minuteOf(SLOW - 1) + 10, peak: 7 }])
  expect([evaluator.notices(), await fleet.failures()]).toEqual([[], 0])
})

test('nor does a live alert wait for the devices of a unit that was set aside before a start, which are not silent', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_COLD, SILENT], devices: SLOW + 1, minutes: MINUTES })
  const { $client: pool } = fleet.db
  await pool.query(`UPDATE hubs SET is_online = true, status_at = now() - interval '1 day'`)
  // Of that time, so that nobody is silent yet.
  const first = fleet.startEvaluator({ now: () => Date.now() - 5 * 60_000 })
  for (const device of slowDevices) await fleet.commit([[MINUTES - 12, SLOW_CELSIUS]], device, MINUTES - 12)
  await fleet.evaluated()
  await first.stop()
  for (const device of slowDevices) await fleet.commit([[MINUTES - 5, SLOW_CELSIUS]], device, MINUTES - 5)
  await copyUnit(pool, 1)
  await pool.query(
    `UPDATE pipeline.rule_states SET state = state || '{"late": {"fromMs": 0, "toMs": ${OPEN_END_MS}}}'
       WHERE unit_id <> ${fleet.unitId};
     UPDATE units SET status = 'restoring' WHERE id <> ${fleet.unitId}; ${SLOW_READS}`,
  )
  const second = fleet.startEvaluator({ env: { EVALUATOR_LATE_MS: String(LATE_MS) } })
  await fleet.commit(liveExcursion, LIVE)
  await until('what is live is raised', async () => (await alertsOf('Too cold')).length > 0)
  await until('one of the others is judged', async () => (await devicesLeft()) < SLOW)
  expect(await devicesLeft()).toBeGreaterThan(0)
  const ofCopy = `(SELECT max(id) FROM units)`
  const { rows } = await pool.query(
    `SELECT status, (SELECT count(*)::int FROM alerts WHERE unit_id = ${ofCopy}) AS alerts FROM units WHERE id = ${ofCopy}`,
  )
  expect(rows).toEqual([{ status: 'restoring', alerts: 0 }])
  await until('the others are judged', async () => (await devicesLeft()) === 0)
  expect([second.notices(), await fleet.failures()]).toEqual([[], 0])
})
