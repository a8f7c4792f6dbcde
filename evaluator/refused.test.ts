/** What the database refuses of a hub, or of pages: units are judged meanwhile, and it is written once it is not refused. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 } }

/** Time in which pages are looked at twice. */
const LOOKS_MS = 2_500

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const execute = (sql: string) => fleet.db.$client.query(sql)

async function unitStatus(): Promise<string> {
  return (await execute('SELECT status FROM units')).rows[0].status
}

test('an alert of a hub', async () => {
  fleet = await openEvaluatedFleet({ rules: [SILENT], minutes: 40 })
  await fleet.commit([[0, 3]], 0, 0)
  await execute(`ALTER TABLE alerts ADD CONSTRAINT refused CHECK (hub_id IS NULL);
    UPDATE hubs SET is_online = false, status_at = now() - interval '35 minutes'`)
  fleet.startEvaluator()
  await until('its unit is judged', async () => (await unitStatus()) === 'monitoring_interrupted')
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
  await execute('ALTER TABLE alerts DROP CONSTRAINT refused')
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ rule: 'Silent', status: 'active', triggered: 25.5 }])
  expect(await fleet.failures()).toBe(0)
})

test('a page of an alert that goes on', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], minutes: 60 })
  await execute(`ALTER TABLE notification_deliveries ADD CONSTRAINT refused CHECK (kind <> 'last_known')`)
  fleet.startEvaluator()
  await fleet.commit([
    [0, 6],
    [5, 6],
    [10, 6],
  ])
  await until('it is raised, and waits for something fresh', async () => (await fleet.alerts()).length > 0)
  const makeDue = () => execute(`UPDATE alerts SET evidence_at = now() - interval '1 hour'`)
  await makeDue()
  await sleep(LOOKS_MS)
  await fleet.commit([[15, 9]])
  await until('it goes on', async () => (await fleet.alerts())[0]?.peak === 9)
  const pages = async () => (await execute('SELECT kind FROM notification_deliveries')).rows
  expect(await pages()).toEqual([])
  await execute('ALTER TABLE notification_deliveries DROP CONSTRAINT refused')
  // The new reading has put it off.
  await makeDue()
  await until('it is paged', async () => (await pages()).length > 0)
  expect(await pages()).toEqual([{ kind: 'last_known' }])
  expect(await fleet.failures()).toBe(0)
})

test('a page that is refused with what else is written of a unit does not set the unit aside', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 60 })
  await execute(`ALTER TABLE notification_deliveries ADD CONSTRAINT refused CHECK (kind <> 'last_known')`)
  // Each turn looks at pages, and writes what has come for the unit meanwhile.
  const evaluator = fleet.startEvaluator({ env: { EVALUATOR_SAVE_MS: '0', EVALUATOR_POLL_MS: '1100' } })
  await fleet.commit([
    [0, 6],
    [5, 6],
    [10, 6],
  ])
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  let minute = 15
  await until('it is refused', async () => {
    await execute(`UPDATE alerts SET evidence_at = now() - interval '1 hour'`)
    minute += 0.01
    await fleet.commit([[minute, 3]], 1)
    return evaluator.notices().length > 0
  })
  expect(evaluator.notices().join()).toMatch(/: the pages of alerts that go on;/)
  await fleet.evaluated()
  expect(await fleet.failures()).toBe(0)
})
