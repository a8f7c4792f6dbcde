/** What the clock says though nothing arrives: doors that stay open, devices and hubs that fall silent. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { noteBroker } from '../db/publishing/brokers.ts'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const DOOR = { name: 'Door', condition: { type: 'door_open', for_seconds: 300 } }
const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 } }
/** Five check-ins of five minutes, and half a minute for what is on its way. */
const SILENT_AFTER_MINUTES = 25.5

/** Time in which the clock is looked at twice. */
const LOOKS_MS = 2_500

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('a door that was open for too long while nobody evaluated', async () => {
  fleet = await openEvaluatedFleet({ rules: [DOOR], minutes: 30 })
  await fleet.commitDoors([
    [10, 'open'],
    [17, 'closed'],
  ])
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Door', started: 10, triggered: 15, ended: 17 }])
})

test('a door that is open for too long, and closed', async () => {
  fleet = await openEvaluatedFleet({ rules: [DOOR], minutes: 30 })
  fleet.startEvaluator()
  await fleet.commitDoors([
    [0, 'open'],
    [5, 'closed'],
    [10, 'open'],
    [12, 'open'],
    [17, 'closed'],
  ])
  await fleet.evaluated()
  // Five minutes are not more than five minutes.
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Door', started: 10, triggered: 15, ended: 17 }])
})

test('door events that were committed before the evaluator began', async () => {
  fleet = await openEvaluatedFleet({ rules: [DOOR], minutes: 30 })
  await fleet.commitDoors([
    [10, 'open'],
    [17, 'closed'],
  ])
  fleet.startEvaluator()
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Door', started: 10, triggered: 15, ended: 17 }])
})

test('a door that is still open, once its hub is connected and quiet', async () => {
  fleet = await openEvaluatedFleet({ rules: [DOOR], minutes: 30 })
  fleet.startEvaluator()
  await setHub('true', 0)
  await fleet.commitDoors([[10, 'open']], 10)
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ status: 'active', started: 10, triggered: 15, ended: null }])
  await fleet.commitDoors([[25, 'closed']])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ status: 'resolved', started: 10, triggered: 15, ended: 25 }])
})

test('a device that has fallen silent, until it is heard again', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await setHub('true', 40)
  await fleet.commit([[0, 3]], 0, 0)
  fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  const silence = { rule: 'Silent', started: 0, triggered: SILENT_AFTER_MINUTES }
  expect(await fleet.alerts()).toMatchObject([{ ...silence, status: 'active', ended: null }])
  expect(await unitStatus()).toBe('monitoring_interrupted')
  await fleet.commit([[39, 3]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ ...silence, status: 'resolved', ended: 39 }])
  // What was measured meanwhile ends silence earlier than nobody heard of it: it is not judged again.
  await fleet.commit([[10, 3]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ ...silence, resolution: 'recovered' }])
})

test('a silence that a reading of a fault ends, and a unit that nobody sees until a temperature comes', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await setHub('true', 40)
  await fleet.commit([[0, 3]], 0, 0)
  fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await fleet.commit([[38, null]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Silent', status: 'resolved', ended: 38 }])
  expect(await unitStatus()).toBe('monitoring_interrupted')
  await fleet.commit([[39, 3]])
  await fleet.evaluated()
  expect(await unitStatus()).toBe('restoring')
})

test('devices of a hub that is away are silent as one: with it', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], devices: 3, minutes: 40 })
  for (const device of [0, 1, 2]) await fleet.commit([[device, 3]], device, device)
  await setHub('false', 35)
  fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([
    { rule: 'Silent', status: 'active', started: 0, triggered: 25.5 },
  ])
  const { rows } = await fleet.db.$client.query('SELECT hub_id IS NOT NULL AS "isHub", device_id FROM alerts')
  expect(rows).toEqual([{ isHub: true, device_id: null }])
  await setHub('true', 0)
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'recovered', triggered: 25.5 }])
})

test('a unit behind a hub that is away is not shown as if somebody saw it', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await fleet.commit(
    [
      [0, 3],
      [5, 3],
    ],
    0,
    5,
  )
  await setHub('false', 34)
  fleet.startEvaluator()
  await until('it is interrupted', async () => (await unitStatus()) === 'monitoring_interrupted')
  const { rows } = await fleet.db.$client.query('SELECT FROM alerts WHERE device_id IS NOT NULL')
  expect(rows).toEqual([])
})

test('nobody is silent in our own downtime', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await setHub('true', 40)
  const first = fleet.startEvaluator()
  await fleet.commit([[0, 3]], 0, 0)
  await fleet.evaluated()
  await first.stop()
  await fleet.db.$client.query(`
    BEGIN; SET LOCAL session_replication_role = replica;
    UPDATE pipeline.evaluator_cursors SET updated_at = now() - interval '35 minutes';
    DELETE FROM alerts; DELETE FROM pipeline.rule_episodes; DELETE FROM pipeline.rule_states; COMMIT`)
  // Heard again, so that its silence is judged from its reading on.
  await fleet.commit([[1, 3]], 0, 1)
  const second = fleet.startEvaluator()
  await until('it evaluates', () => second.isActive)
  await fleet.evaluated()
  await sleep(LOOKS_MS)
  expect(await fleet.alerts()).toEqual([])
  expect(await downtimes()).toEqual([{ part: 'evaluator', minutes: 35 }])
})

test('nobody is silent while no broker is there, nor for having been so; who was before, is', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], devices: 2, minutes: 60 })
  await setHub('true', 60)
  await fleet.commit([[0, 3]], 0, 0)
  await fleet.commit([[28, 3]], 1, 28)
  const pool = fleet.db.$client
  await pool.query(
    `INSERT INTO pipeline.brokers (id, published_id, seen_at) VALUES ('broker-1', 0, now() - interval '20 minutes')`,
  )
  fleet.startEvaluator()
  const raisedBefore = [{ rule: 'Silent', started: 0, triggered: SILENT_AFTER_MINUTES }]
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  await sleep(LOOKS_MS)
  expect(await fleet.alerts()).toMatchObject(raisedBefore)
  expect(await downtimes()).toEqual([{ part: 'broker', minutes: null }])
  await noteBroker(pool, { id: 'broker-1', keptMs: 3_600_000 })
  expect(await downtimes()).toEqual([{ part: 'broker', minutes: 20 }])
  await sleep(LOOKS_MS)
  expect(await fleet.alerts()).toMatchObject(raisedBefore)
  expect(await fleet.failures()).toBe(0)
})

test('a broker that goes while somebody evaluates is missed, and its return is noticed', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 30 })
  await setHub('true', 30)
  const pool = fleet.db.$client
  await noteBroker(pool, { id: 'broker-1', keptMs: 3_600_000 })
  const evaluator = fleet.startEvaluator()
  await until('it evaluates', () => evaluator.isActive)
  await pool.query(`UPDATE pipeline.brokers SET seen_at = now() - interval '29 minutes'`)
  await until('it is missed', async () => (await downtimes()).length > 0)
  await fleet.commit([[2, 3]], 0, 2)
  await fleet.evaluated()
  await sleep(LOOKS_MS)
  expect(await fleet.alerts()).toEqual([])
  // As if it had been there all the time.
  await pool.query('DELETE FROM pipeline.downtime_intervals')
  await noteBroker(pool, { id: 'broker-1', keptMs: 3_600_000 })
  await pool.query('DELETE FROM pipeline.downtime_intervals')
  await until('what is known of silence is read again', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Silent', started: 2 }])
})

test('a downtime is noted once, however often the evaluator has to begin anew in it', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  const first = fleet.startEvaluator()
  await fleet.commit([[0, 3]], 0, 0)
  await fleet.evaluated()
  await first.stop()
  await fleet.db.$client.query(`
    BEGIN; SET LOCAL session_replication_role = replica;
    UPDATE pipeline.evaluator_cursors SET updated_at = now() - interval '35 minutes'; COMMIT;
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON pipeline.evaluator_cursors FOR EACH ROW EXECUTE FUNCTION refuse()`)
  // So that each try has something to write.
  await fleet.commit([[1, 3]], 0, 1)
  fleet.startEvaluator()
  await until('it has failed again and again', async () => (await fleet.failures()) >= 3)
  expect(await downtimes()).toEqual([{ part: 'evaluator', minutes: 35 }])
})

test('a clock that is set by hours is no silence, and the evaluator goes on', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT, TOO_WARM], minutes: 20 })
  await setHub('true', 40)
  let stepMs = 0
  fleet.startEvaluator({ now: () => Date.now() + stepMs })
  await fleet.commit([[19, 3]])
  await fleet.evaluated()
  stepMs = 2 * 3_600_000
  await until('it is noticed', async () => (await downtimes()).length > 0)
  expect(await downtimes()).toEqual([{ part: 'clock', minutes: 120 }])
  await fleet.commit([[20, 3]])
  await fleet.evaluated()
  await sleep(LOOKS_MS)
  expect(await fleet.alerts()).toEqual([])
})

test('a manual log that is overdue, until there is one', async () => {
  const rule = { name: 'Log', condition: { type: 'manual_log_overdue', after_seconds: 600 } }
  fleet = await openEvaluatedFleet({ rules: [rule], minutes: 30 })
  await logManually(5)
  fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).some(({ ended }) => ended === null))
  const [open] = (await fleet.alerts()).filter(({ ended }) => ended === null)
  expect(open).toMatchObject({ rule: 'Log', status: 'active', started: 5, triggered: 15 })
  await logManually(25)
  await until('it ends', async () => (await fleet.alerts()).every(({ status }) => status === 'resolved'))
  expect((await fleet.alerts()).at(-1)).toMatchObject({ started: 5, triggered: 15, ended: 25 })
})

test('a calibration that is due, until the next one', async () => {
  const rule = { name: 'Calibrate', condition: { type: 'calibration_due', days_ahead: 7 } }
  fleet = await openEvaluatedFleet({ rules: [rule], minutes: 30 })
  await calibrate('200 days', '-5 days')
  fleet.startEvaluator()
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Calibrate', status: 'active' }])
  await calibrate('1 minute', '-360 days')
  await until('it ends', async () => (await fleet.alerts())[0]?.status === 'resolved')
  expect(await fleet.alerts()).toMatchObject([{ resolution: 'recovered' }])
})

async function logManually(minute: number): Promise<void> {
  await fleet.db.$client.query(
    `INSERT INTO manual_temperature_logs (organization_id, unit_id, temperature, recorded_at)
     SELECT organization_id, id, 4, to_timestamp($1::float8 / 1000) FROM units`,
    [fleet.beginMs + minute * 60_000],
  )
}

/** The device was calibrated so long ago, and its calibration ends so long ago. */
async function calibrate(ago: string, expiredAgo: string): Promise<void> {
  await fleet.db.$client.query(
    `INSERT INTO calibration_records (organization_id, device_id, calibrated_at, expires_at)
     SELECT organization_id, id, now() - $1::interval, now() - $2::interval FROM devices WHERE device_type = 'temperature'`,
    [ago, expiredAgo],
  )
}

/** Null while one lasts. */
async function downtimes(): Promise<{ part: string; minutes: number | null }[]> {
  const { rows } = await fleet.db.$client.query<{ part: string; minutes: number | null }>(
    `SELECT part, round(extract(epoch FROM ended_at - started_at) / 60)::int AS minutes FROM pipeline.downtime_intervals`,
  )
  return rows
}

/** Says of the fleet's hub whether it is connected, and since how many minutes. */
async function setHub(isOnline: 'true' | 'false', minutesAgo: number): Promise<void> {
  await fleet.db.$client.query(
    `UPDATE hubs SET is_online = ${isOnline}, status_at = now() - $1 * interval '1 minute'`,
    [minutesAgo],
  )
}

async function unitStatus(): Promise<string | undefined> {
  const { rows } = await fleet.db.$client.query<{ status: string }>('SELECT status FROM units')
  return rows[0]?.status
}
