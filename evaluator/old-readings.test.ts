/** What is more than seven days older than the newest reading of its device: judged, but behind what is live. */
import { afterEach, expect, test } from 'vitest'
import type { ReadingRow } from '../db/copy/readings.ts'
import { storeBatch } from '../db/evaluation/testing/batches.ts'
import { until } from '../db/testing/poll.ts'
import { applyInputs } from './apply-inputs.ts'
import { loadUnits } from './load-units.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'
import { untilShown } from './testing/ledger-shown.ts'
import { readsOf } from './testing/reads.ts'

/** Without a time of its own: it is longer while a door is open. */
const BY_DOORS = { name: 'Warm', condition: { type: 'temperature_above', limit: 5 }, severity: 'critical' }
const DAY_MINUTES = 24 * 60
/** A temperature at which the database is made to refuse to read the row. */
const UNREADABLE = 6.66
/** Beyond at once, raised ten minutes later, over after twenty. */
const OUT = [6, 6, 6, 6, 3, 3]

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const excursion = (fromMinute: number) =>
  OUT.map((celsius, index): [number, number] => [fromMinute + index * 5, celsius])

async function open(): Promise<void> {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await fleet.commit([[0, 3]])
  await fleet.commit([[0, 3]], 1)
  await fleet.evaluated()
  await evaluator.stop()
}

test.each([
  [6, 'old first'],
  [20, 'live first'],
])('of an excursion %i days ago and one that is live, found together: %s', async (days, order) => {
  await open()
  await fleet.commit(excursion(-days * DAY_MINUTES))
  await fleet.commit(excursion(5).slice(0, 4), 1)
  await untilShown(fleet.db.$client)
  fleet.startEvaluator()
  await until('both are found', async () => (await fleet.alerts()).length === 2)
  const [old, live] = await fleet.alerts()
  const began = -days * DAY_MINUTES
  expect(old).toMatchObject({ started: began, triggered: began + 10, ended: began + 20, retrospective: true })
  expect(live).toMatchObject({ started: 5, triggered: 15, status: 'active' })
  const { rows } = await fleet.db.$client.query('SELECT ended_at IS NULL AS "isLive" FROM alerts ORDER BY id')
  expect(rows.map(({ isLive }) => isLive)).toEqual(order === 'live first' ? [true, false] : [false, true])
})

test('what is old and not judged yet is judged after a restart', async () => {
  await open()
  const client = await fleet.db.$client.connect()
  // Nothing can be written about alerts; all else goes on. It is stored at once: what is old waits for the lock behind it.
  await client.query('BEGIN; LOCK TABLE pipeline.rule_episodes IN EXCLUSIVE MODE')
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_SAVE_MS: '0' } })
  await fleet.commit(excursion(-20 * DAY_MINUTES))
  await fleet.evaluated()
  const { rows } = await client.query(`SELECT FROM pipeline.rule_states WHERE state ? 'old'`)
  expect(rows).toHaveLength(1)
  const stopping = evaluator.stop()
  await client.query('ROLLBACK')
  client.release()
  await stopping
  fleet.startEvaluator()
  await until('it is found', async () => (await fleet.alerts()).length === 1)
})

test('what a door of long ago may change is to be stored', async () => {
  fleet = await openEvaluatedFleet({ rules: [BY_DOORS], minutes: 30 })
  const evaluator = fleet.startEvaluator()
  await fleet.commit([[0, 3]])
  await fleet.evaluated()
  await evaluator.stop()
  const options = { nowMs: Date.now(), pauses: [], offsets: new Map(), onDefect: () => {} }
  const [unit] = await loadUnits(readsOf(fleet.db.$client).once, options)
  const device = unit?.devices.get(fleet.devices[0] ?? 0)
  if (!unit || !device) throw new Error('The unit of the fleet, with its device, was expected')
  expect(device).toMatchObject({ isUnsaved: false, old: undefined })
  const atMs = fleet.beginMs - 20 * DAY_MINUTES * 60_000
  const door = {
    kind: 'door',
    deviceId: fleet.doorDevice,
    atMs,
    recordedAtMs: atMs,
    receivedAtMs: Date.now(),
  } as const
  applyInputs(unit, { readings: [], doors: [{ ...door, isOpen: true }] })
  expect(device).toMatchObject({ isUnsaved: true, old: { fromMs: atMs } })
})

test('a unit of which something old cannot be judged keeps no other one waiting', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 30 })
  const { $client: pool } = fleet.db
  const [first = 0, second = 0] = fleet.devices
  const other = await anotherUnit(second)
  const store = (unitId: number, deviceId: number, temperatures: readonly (readonly [number, number])[]) =>
    storeBatch(pool, { readings: temperatures.map((one) => rowOf({ ...other, unitId, deviceId }, one)) })
  // Each turn looks for what is old.
  fleet.startEvaluator({ env: { EVALUATOR_POLL_MS: '1100' } })
  await store(fleet.unitId, first, [[0, 3]])
  await store(other.unitId, second, [[0, 3]])
  await store(fleet.unitId, first, [[-20 * DAY_MINUTES, UNREADABLE]])
  await fleet.evaluated()
  await pool.query(`
    CREATE OR REPLACE FUNCTION pipeline.centi(celsius real) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT (floor($1::float8 * 100 + 0.5) / (CASE WHEN $1 = ${UNREADABLE}::real THEN 0 ELSE 1 END))::integer $$`)
  await store(fleet.unitId, first, [[-20 * DAY_MINUTES + 5, 3]])
  await store(other.unitId, second, excursion(-20 * DAY_MINUTES))
  await until('the other one is judged', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ started: -20 * DAY_MINUTES }])
})

interface Place {
  unitId: number
  deviceId: number
  organizationId: number
}

/** A second unit, behind the first one, to which a device is moved. */
async function anotherUnit(deviceId: number): Promise<Place> {
  const { rows } = await fleet.db.$client.query<Place>(
    `WITH added AS (
       INSERT INTO units (organization_id, area_id, name, unit_type)
       SELECT organization_id, area_id, 'Another', 'walk_in_cooler' FROM units WHERE id = $1 RETURNING id, organization_id)
     SELECT id AS "unitId", organization_id AS "organizationId", $2::int AS "deviceId" FROM added`,
    [fleet.unitId, deviceId],
  )
  const [place] = rows
  if (!place) throw new Error('Another unit was expected')
  await fleet.db.$client.query('UPDATE devices SET unit_id = $1 WHERE id = $2', [place.unitId, deviceId])
  return place
}

function rowOf(place: Place, [minute, temperature]: readonly [number, number]): ReadingRow {
  const recordedAtMs = fleet.beginMs + minute * 60_000
  return {
    ...place,
    recordedAtMs,
    receivedAtMs: Date.now(),
    temperature,
    humidity: null,
    battery: null,
    rssi: null,
    snr: null,
    fault: null,
    source: 'hub',
  }
}

test('what is old takes its place in an alert that runs', async () => {
  await open()
  fleet.startEvaluator()
  await fleet.commit(excursion(5).slice(0, 4))
  await until('it is raised', async () => (await fleet.alerts()).length === 1)
  await fleet.commit([[-8 * DAY_MINUTES, 9]])
  await fleet.commit([
    [-8 * DAY_MINUTES + 5, 9],
    [-8 * DAY_MINUTES + 10, 9],
  ])
  await until('it is in it', async () => (await fleet.alerts())[0]?.peak === 9)
  // One good reading by itself, at 0, has not ended what began then.
  expect(await fleet.alerts()).toMatchObject([{ started: -8 * DAY_MINUTES, ended: null, status: 'active' }])
})
