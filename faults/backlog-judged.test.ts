/** F62: a hub that was away for 48 hours flushes what it has kept, oldest first, newest first, and mixed with what is live. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'
import { Random } from '../simulators/random.ts'
import { JudgedFleet, type Measured, TOO_WARM } from './testing/judged-fleet.ts'

const seed = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())
const AWAY_MINUTES = 48 * 60
const INTERVAL_MINUTES = 5
const READINGS_MAX = 25
/** All of that time, with an hour too warm in it. */
function backlogWith(fromMinute: number): Measured[] {
  return Array.from({ length: AWAY_MINUTES / INTERVAL_MINUTES }, (_, index) => {
    const minute = index * INTERVAL_MINUTES
    return [minute, minute >= fromMinute && minute <= fromMinute + 60 ? 8 : 3]
  })
}

const BACKLOG = backlogWith(1_400)

function shuffled(readings: readonly Measured[]): Measured[] {
  const random = new Random(seed, 'backlog')
  const ranked = readings.map((reading) => ({ reading, rank: random.next() }))
  return ranked.toSorted((a, b) => a.rank - b.rank).map(({ reading }) => reading)
}

const HISTORICAL = {
  status: 'resolved',
  started: 1_400,
  triggered: 1_410,
  ended: 1_465,
  peak: 8,
  resolution: 'recovered',
  retrospective: true,
  isPaged: false,
}

let service: TestService
let fleets = 0
beforeAll(async () => {
  service = await startTestService({ env: { EVALUATOR_SAVE_MS: '0' } })
})
afterAll(() => service.close())

function open(units = 1): Promise<JudgedFleet> {
  fleets += 1
  return JudgedFleet.open(service, { number: fleets, rules: [TOO_WARM], minutes: AWAY_MINUTES, units })
}

test.each([
  ['oldest first', BACKLOG],
  ['newest first', BACKLOG.toReversed()],
  [`in any order (FROSTGUARD_TEST_SEED=${seed})`, shuffled(BACKLOG)],
])('%s: one alert, of the past, and nobody is paged', async (_order, backlog) => {
  const fleet = await open()
  await fleet.publish(backlog, 0, READINGS_MAX)
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([HISTORICAL])
  const counts = await fleet.counts()
  expect(counts).not.toHaveProperty('page')
  expect(counts).toMatchObject({ alert_raised: 1 })
  expect(await fleet.unitStatuses()).toEqual(['ok'])
})

test.each([
  ['oldest first', BACKLOG],
  ['newest first', BACKLOG.toReversed()],
])('%s beside live readings: what is out now stays raised until they are good', async (_order, backlog) => {
  const fleet = await open()
  const now = AWAY_MINUTES
  await fleet.publish([15, 10, 5, 0].map((before): Measured => [now - before, 9]))
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  const kept = backlog.filter(([minute]) => minute < now - 15)
  for (let from = 0; from < kept.length; from += 100) {
    await fleet.publish(kept.slice(from, from + 100), 0, READINGS_MAX)
    await fleet.publish([[now + from / 10_000 + 0.001, 9]])
    const [running] = (await fleet.alerts()).filter(({ isPaged }) => isPaged)
    expect(running).toMatchObject({ status: 'active', started: now - 15, triggered: now - 5, ended: null })
  }
  await fleet.evaluated()
  const running = { status: 'active', started: now - 15, triggered: now - 5, ended: null, isPaged: true }
  expect(await fleet.alerts()).toMatchObject([HISTORICAL, running])
  expect(await fleet.counts()).toMatchObject({ page: 1 })
  expect(await fleet.counts()).not.toHaveProperty('recovery')
  expect(await fleet.unitStatuses()).toEqual(['alarm_active'])
})

test('while hubs flush, an excursion that is live is raised before theirs are all found', async () => {
  const hubs = 8
  const fleet = await open(hubs + 1)
  const now = AWAY_MINUTES
  for (let unit = 0; unit <= hubs; unit += 1) await fleet.publish([[now - 30, 3]], unit)
  // Too warm at its end, so that it has to be judged up to there.
  const backlog = backlogWith(now - 120)
  const flushing = Array.from({ length: hubs }, (_, unit) => fleet.publish(backlog, unit, READINGS_MAX))
  await fleet.publish(
    [15, 10, 5, 0].map((before): Measured => [now - before, 9]),
    hubs,
  )
  await Promise.all(flushing)
  await fleet.evaluated()
  const alerts = await fleet.alerts()
  expect(alerts.filter(({ peak }) => peak === 8)).toHaveLength(hubs)
  const live = alerts.find(({ peak }) => peak === 9)
  expect(live).toMatchObject({ status: 'active', isPaged: true })
  const after = alerts.filter(({ id }) => id > (live?.id ?? Infinity))
  expect(after.length).toBeGreaterThan(0)
  expect(await fleet.counts()).toMatchObject({ page: 1 })
})
