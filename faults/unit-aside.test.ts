/** One unit cannot be judged, or the database refuses what was found of it: the others go on, and it is judged once it can be. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { publish } from '../contract/testing/clients.ts'
import {
  acmeFleet,
  NORTH_HUB,
  northDevice,
  RIVAL_DEVICE,
  RIVAL_HUB,
  rivalFleet,
} from '../contract/testing/fleet.ts'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { readReadyz } from '../contract/testing/status-page.ts'
import { until } from '../db/testing/poll.ts'
import { JudgedFleet } from './testing/judged-fleet.ts'

const MINUTE_MS = 60_000
const RULES = [
  {
    name: 'Too warm',
    condition: { type: 'temperature_above', limit: 5, for_seconds: 600 },
    severity: 'critical',
  },
  { name: 'Silent', condition: { type: 'no_data', missed: 5 }, severity: 'warning' },
]

let service: TestService
let device = 0
beforeAll(async () => {
  service = await startTestService({ env: { EVALUATOR_SAVE_MS: '100' } })
  await service.applyFleet({ ...acmeFleet(), alert_rules: RULES })
  await service.applyFleet({ ...rivalFleet(), alert_rules: RULES })
})
afterEach(async () => {
  await service.query('ALTER TABLE alerts DROP CONSTRAINT IF EXISTS refused')
  await service.stop()
  await service.query(
    'TRUNCATE alerts, pipeline.rule_episodes, pipeline.rule_states, sensor_readings CASCADE',
  )
  await service.start()
})
afterAll(() => service.close())

const aside = () => service.metric('frostguard_evaluator_set_aside')

/** Temperatures every five minutes, the last of them now; a device of its own for each test. */
async function send(
  hub: string,
  name: string,
  temperatures: readonly number[],
  endsMinutesAgo = 0,
): Promise<void> {
  const client = await service.connect(hub, { clientId: `${hub}-${Math.random()}` })
  const nowMs = Date.now() - endsMinutesAgo * MINUTE_MS
  const readings = temperatures.map((temperature, index, all) => ({
    device: name,
    at: nowMs - (all.length - 1 - index) * 5 * MINUTE_MS,
    temperature,
  }))
  await publish(client, `v1/hubs/${hub}/readings`, { readings })
  await client.endAsync(true)
}

const north = (temperatures: readonly number[], endsMinutesAgo?: number) =>
  send(NORTH_HUB, northDevice(device), temperatures, endsMinutesAgo)

interface Alert {
  unit: string
  status: string
  peak: number
  raised: number
}

function alerts(): Promise<Alert[]> {
  return service.query<Alert>(
    `SELECT u.name AS unit, a.status, a.peak_value::float8 AS peak,
       (SELECT count(*)::int FROM event_logs e WHERE e.entity_id = a.id AND e.action = 'alert_raised') AS raised
     FROM alerts a JOIN units u ON u.id = a.unit_id WHERE a.alert_type = 'alarm_active' ORDER BY a.id`,
  )
}

const isRaised = (unit: string) => async () => (await alerts()).some((alert) => alert.unit === unit)

async function refuseCooler(): Promise<void> {
  await service.query(
    `DO $$ BEGIN EXECUTE format('ALTER TABLE alerts ADD CONSTRAINT refused CHECK (unit_id <> %s)',
       (SELECT id FROM units WHERE name = 'Cooler')); END $$`,
  )
}

test('a unit whose alert the database refuses is set aside, named, and judged once it is not refused', async () => {
  device = 1
  await refuseCooler()
  await north([3, 6, 6, 6])
  await until('it is aside', async () => (await aside()) === 1)
  await send(RIVAL_HUB, RIVAL_DEVICE, [3, 7, 7, 7])
  await until('its neighbour is judged', isRaised('Cold room'))
  const named = /^200 ready\nnot evaluated, and tried again every minute: unit \d+; the log/
  await until('it is named', async () => named.test(await readReadyz(service)))
  expect(service.logged.filter(({ msg }) => /^unit \d+ cannot be evaluated/.test(msg))).toHaveLength(1)
  // What comes meanwhile, late and in order, is judged with the rest.
  await north([8], 2)
  await north([9])
  await service.query('ALTER TABLE alerts DROP CONSTRAINT refused')
  await until('it is judged', isRaised('Cooler'))
  expect(await alerts()).toEqual([
    { unit: 'Cold room', status: 'active', peak: 7, raised: 1 },
    { unit: 'Cooler', status: 'active', peak: 9, raised: 1 },
  ])
  await until('it is named no more', async () => (await readReadyz(service)) === '200 ready\n')
  expect(await service.metric('frostguard_evaluator_failures_total')).toBe(0)
})

test('of many units in one turn, only those stay behind that are refused', async () => {
  const fleet = await JudgedFleet.open(service, { number: 1, rules: RULES, minutes: 10, units: 12, hubs: 1 })
  const refused = `SELECT string_agg(u.id::text, ',') FROM units u JOIN organizations o ON o.id = u.organization_id
    WHERE o.slug = '${fleet.slug}' AND u.name IN ('Cooler 3', 'Cooler 10')`
  await service.query(
    `DO $$ BEGIN EXECUTE format('ALTER TABLE alerts ADD CONSTRAINT refused CHECK (unit_id NOT IN (%s))', (${refused})); END $$`,
  )
  await fleet.publishAll([
    [0, 7],
    [5, 7],
    [10, 7],
  ])
  await until('the others are raised', async () => (await fleet.alerts()).length === 10)
  expect(await aside()).toBe(2)
  await service.query('ALTER TABLE alerts DROP CONSTRAINT refused')
  await until('all are raised', async () => (await fleet.alerts()).length === 12)
  expect(await fleet.counts()).toEqual({ alert_raised: 12, page: 12 })
})

test('nothing of a unit that is aside is lost in a restart, nor what came late for it', async () => {
  device = 2
  await north([3, 3], 30)
  await refuseCooler()
  await north([3, 6, 6, 6])
  await until('it is aside', async () => (await aside()) === 1)
  await north([8], 40)
  await north([8], 45)
  await north([8], 50)
  await north([8], 55)
  await until('the cursor is past them', evaluated)
  await service.stop()
  await service.query('ALTER TABLE alerts DROP CONSTRAINT refused')
  await service.start()
  await until('both are raised', async () => (await alerts()).length === 2)
  expect(await alerts()).toEqual([
    { unit: 'Cooler', status: 'resolved', peak: 8, raised: 1 },
    { unit: 'Cooler', status: 'active', peak: 6, raised: 1 },
  ])
})

test('a stored state that cannot be read is folded from the rows', async () => {
  device = 4
  await north([3, 6, 6, 6])
  await until('it is raised', isRaised('Cooler'))
  await service.stop()
  await service.query(`UPDATE pipeline.rule_states SET state = '"garbage"'`)
  await service.start()
  await north([10])
  await until('it goes on', async () => (await alerts())[0]?.peak === 10)
  expect(await alerts()).toEqual([{ unit: 'Cooler', status: 'active', peak: 10, raised: 1 }])
})

async function evaluated(): Promise<boolean> {
  const [row] = await service.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM pipeline.ingest_batches b
     WHERE NOT EXISTS (SELECT FROM pipeline.evaluator_cursors c WHERE (c.tx, c.batch_id) >= (b.tx, b.id))`,
  )
  return row?.left === 0
}
