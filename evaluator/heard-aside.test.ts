/** What is known of the silence of devices whose unit was set aside, once it is back. */
import { afterEach, expect, test } from 'vitest'
import { until } from '../db/testing/poll.ts'
import type { Evaluator } from './evaluator.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const MINUTE_MS = 60_000
const MINUTES = 240
const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 } }
/** Five check-ins of five minutes, and half a minute for what is on its way. */
const SILENT_AFTER_MINUTES = 25.5
/** When the unit is set aside. */
const ASIDE_AT_MINUTE = 15

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

const execute = (sql: string) => fleet.db.$client.query(sql)

/** Readings that arrive when they are measured. */
async function hearAt(minutes: readonly number[], device = 0): Promise<void> {
  for (const minute of minutes)
    await fleet.commit([[minute, minute < ASIDE_AT_MINUTE ? 3 : 4]], device, minute)
}

const every5 = (from: number, to: number) =>
  Array.from({ length: (to - from) / 5 + 1 }, (_, index) => from + index * 5)

/** A unit with two devices, which was heard until minute 10, is set aside a while later. */
async function whileAside(work: (first: Evaluator) => Promise<void>): Promise<void> {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM, SILENT], devices: 2, minutes: MINUTES })
  await execute(
    `UPDATE hubs SET is_online = true, status_at = now() - interval '${MINUTES} minutes';
     ALTER TABLE alerts ADD CONSTRAINT refused CHECK (unit_id IS NULL)`,
  )
  // Of that time, so that nobody is silent yet.
  const behindMs = (MINUTES - ASIDE_AT_MINUTE) * MINUTE_MS
  const first = fleet.startEvaluator({ now: () => Date.now() - behindMs })
  await hearAt([0, 5, 10])
  await hearAt([0, 5, 10], 1)
  await fleet.evaluated()
  // Measured long ago, in a message of now.
  await fleet.commit(
    [-30, -25, -20, -15].map((minute) => [minute, 9]),
    0,
    ASIDE_AT_MINUTE,
  )
  await until('it is aside', () => first.notices().length > 0)
  await work(first)
  await fleet.evaluated()
  await first.stop()
  await execute('ALTER TABLE alerts DROP CONSTRAINT refused')
}

async function backAfterRestart(): Promise<void> {
  const evaluator = fleet.startEvaluator()
  await until('it is back', () => evaluator.isActive && evaluator.notices().length === 0)
  await fleet.evaluated()
}

async function silences(): Promise<object[]> {
  const { rows } = await execute('SELECT device_id AS "deviceId" FROM alerts ORDER BY started_at, id')
  const alerts = await fleet.alerts()
  // Some were raised between the two looks.
  if (alerts.length !== rows.length) return silences()
  return alerts
    .map(({ started, triggered, ended, rule, status }, index) => ({
      rule,
      status,
      device: fleet.devices.indexOf(rows[index].deviceId),
      started,
      triggered,
      ended,
    }))
    .filter(({ rule }) => rule === SILENT.name)
}

test('one that sent all the time was not silent', async () => {
  await whileAside(async () => {
    await hearAt(every5(15, MINUTES))
    await hearAt(every5(15, MINUTES), 1)
  })
  await backAfterRestart()
  await until('its excursion of before is found', async () => (await fleet.alerts()).length > 0)
  expect(await silences()).toEqual([])
})

test('nor was it when its unit was deleted meanwhile, and comes back', async () => {
  await whileAside(async (first) => {
    await execute('UPDATE units SET deleted_at = now()')
    await until('it is no more', () => first.notices().length === 0)
    await hearAt(every5(15, MINUTES))
    await hearAt(every5(15, MINUTES), 1)
  })
  const second = fleet.startEvaluator()
  await until('it evaluates', () => second.isActive)
  await execute('UPDATE units SET deleted_at = NULL')
  await until('its excursion of before is found', async () => (await fleet.alerts()).length > 0)
  expect(await silences()).toEqual([])
})

test('silences that began and ended meanwhile, and one that runs, are found with their times', async () => {
  await whileAside(async () => {
    await hearAt([...every5(15, 30), ...every5(80, 100), ...every5(150, MINUTES)])
    await hearAt(every5(15, 120), 1)
  })
  await backAfterRestart()
  await until('they are found', async () => (await silences()).length === 3)
  const silence = (device: number, started: number, ended: number | null) => ({
    rule: SILENT.name,
    status: ended === null ? 'active' : 'resolved',
    device,
    started,
    triggered: started + SILENT_AFTER_MINUTES,
    ended,
  })
  expect(await silences()).toEqual([silence(0, 30, 80), silence(0, 100, 150), silence(1, 120, null)])
})

test('the alert of a hub that is away goes on while the only unit of its devices is aside, and is the only one then', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM, SILENT], minutes: 40 })
  await fleet.commit([[0, 3]], 0, 0)
  await execute(`UPDATE hubs SET is_online = false, status_at = now() - interval '35 minutes'`)
  const evaluator = fleet.startEvaluator()
  const ofHub = async () => (await fleet.alerts()).filter(({ rule }) => rule === SILENT.name)
  await until('it is raised', async () => (await ofHub()).length > 0)
  await execute('ALTER TABLE alerts ADD CONSTRAINT refused CHECK (unit_id IS NULL)')
  await fleet.commit(
    [1, 6, 11].map((minute) => [minute, 6]),
    0,
    12,
  )
  await until('the unit is aside', () => evaluator.notices().length > 0)
  await execute('ALTER TABLE alerts DROP CONSTRAINT refused')
  // Not before another look of the clock.
  await until('it is back', () => evaluator.notices().length === 0)
  expect(await ofHub()).toMatchObject([{ status: 'active', resolution: null }])
})
