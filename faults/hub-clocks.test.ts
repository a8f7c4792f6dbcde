/** F61: hubs with a wrong clock, over the whole service. The time of the device is kept; what it says is judged by what is sure. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestService, type TestService } from '../contract/testing/service.ts'
import { until } from '../db/testing/poll.ts'
import { JudgedFleet, type Measured, TOO_WARM } from './testing/judged-fleet.ts'

const SILENT = { name: 'Silent', condition: { type: 'no_data', missed: 5 }, severity: 'warning' }
const YEAR_2000 = Date.UTC(2000, 0, 1)

let service: TestService
let fleets = 0
beforeAll(async () => {
  service = await startTestService({ env: { EVALUATOR_SAVE_MS: '0' } })
})
afterAll(() => service.close())

function open(options: {
  rules: readonly object[]
  minutes: number
  intervalSeconds?: number
}): Promise<JudgedFleet> {
  fleets += 1
  return JudgedFleet.open(service, { number: fleets, ...options })
}

/** When its readings were measured, by the device: minutes after the beginning. */
async function recordedMinutes(fleet: JudgedFleet): Promise<number[]> {
  const rows = await service.query<{ minute: number }>(
    `SELECT round((extract(epoch FROM r.recorded_at) - $2::numeric / 1000) / 60, 2)::float8 AS minute
     FROM sensor_readings r JOIN organizations o ON o.id = r.organization_id WHERE o.slug = $1 ORDER BY 1`,
    [fleet.slug, fleet.beginMs],
  )
  return rows.map(({ minute }) => minute)
}

test('at 2000-01-01 its readings are kept as rejected: they raise nothing, and do not end its silence', async () => {
  const fleet = await open({ rules: [TOO_WARM, SILENT], minutes: 60, intervalSeconds: 60 })
  await fleet.publish([[54, 3]])
  await until('it is silent', async () => (await fleet.alerts()).some(({ rule }) => rule === 'Silent'))
  const [silence] = await fleet.alerts()
  const inTheYear2000 = (YEAR_2000 - fleet.beginMs) / 60_000
  await fleet.publish([0, 5, 10, 15].map((minute): Measured => [inTheYear2000 + minute, 9]))
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([silence])
  // It was due before, but its rule is of now.
  expect(silence).toMatchObject({ status: 'active', started: 54, triggered: expect.closeTo(60, 0) })
  expect(await service.metric('frostguard_readings_rejected_total{reason="clock"}')).toBe(4)
})

test('an hour ahead it raises nothing early, and its time is kept', async () => {
  const rule = { ...TOO_WARM, condition: { ...TOO_WARM.condition, for_seconds: 2 } }
  const fleet = await open({ rules: [rule], minutes: 0, intervalSeconds: 60 })
  // By its own clock this lasts a quarter of an hour; all of it has come at once.
  await fleet.publish([45, 50, 55, 60].map((minute): Measured => [minute, 9]))
  await fleet.evaluated()
  expect(await fleet.alerts()).toEqual([])
  expect(await recordedMinutes(fleet)).toEqual([45, 50, 55, 60])
  // Two seconds later by ours it is proven, and it began when we first heard of it.
  let minute = 60
  await until('it is raised', async () => {
    minute += 1 / 60
    await fleet.publish([[minute, 9]])
    return (await fleet.alerts()).length > 0
  })
  const [raised] = await fleet.alerts()
  expect(raised?.triggered).toBeLessThan(fleet.nowMinute + 0.01)
  expect((raised?.triggered ?? 0) - (raised?.started ?? 0)).toBeGreaterThanOrEqual(0.03)
})

test('a clock that falls behind as it goes makes one excursion, by the times of the device', async () => {
  const fleet = await open({ rules: [TOO_WARM], minutes: 70 })
  const temperatures = [3, 3, 6, 7, 8, 7, 6, 6, 3, 3, 3, 3]
  // Each five minutes of ours are four of its own.
  for (const [index, celsius] of temperatures.entries()) await fleet.publish([[index * 4, celsius]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([
    { started: 8, triggered: 20, ended: 32, peak: 8, status: 'resolved', resolution: 'recovered' },
  ])
  expect(await fleet.counts()).toMatchObject({ alert_raised: 1 })
})

test('a clock that steps back by an hour ends no alert that runs, and raises none for the past', async () => {
  const fleet = await open({ rules: [TOO_WARM], minutes: 90 })
  await fleet.publish([75, 80, 85, 90].map((minute): Measured => [minute, 7]))
  await until('it is raised', async () => (await fleet.alerts()).length > 0)
  const running = {
    status: 'active',
    started: 75,
    triggered: 85,
    ended: null,
    resolution: null,
    isPaged: true,
  }
  // Good, and an hour before what it has said already.
  for (const minute of [35, 40, 45]) await fleet.publish([[minute, 3]])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([running])
  expect(fleet.transitions()).not.toContain('resolved')
  // Out, but for less long than an alert takes.
  await fleet.publish([
    [50, 8],
    [55, 8],
    [60, 3],
  ])
  await fleet.evaluated()
  expect(await fleet.alerts()).toMatchObject([{ ...running, peak: 7 }])
  expect(await fleet.counts()).toEqual({ alert_raised: 1, page: 1 })
})
