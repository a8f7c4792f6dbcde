import { afterEach, expect, test, vi } from 'vitest'
import { until } from '../db/testing/poll.ts'
import { type EvaluatedFleet, openEvaluatedFleet, TOO_WARM } from './testing/evaluated-fleet.ts'

const DEFECTIVE = 66.6
const defect = vi.hoisted(() => ({ centi: null as number | null }))

/** A core that throws at one temperature, when the test says so. */
vi.mock('./core/judge.ts', async (original) => {
  const real = await original<typeof import('./core/judge.ts')>()
  const readingAfter: typeof real.readingAfter = (before, input, judging) => {
    if (defect.centi !== null && input.temperatureCenti === defect.centi) throw new TypeError('a defect')
    return real.readingAfter(before, input, judging)
  }
  return { ...real, readingAfter }
})

let fleet: EvaluatedFleet
afterEach(() => fleet.close())

test('an error of ours about one device holds up no other one', async () => {
  fleet = await openEvaluatedFleet({ rules: [TOO_WARM], devices: 2, minutes: 15 })
  defect.centi = Math.round(DEFECTIVE * 100)
  const excursion = (celsius: number) =>
    [0, 5, 10, 15].map((minute) => [minute, minute ? celsius : 3] as const)
  const evaluator = fleet.startEvaluator()
  await fleet.commit(excursion(DEFECTIVE))
  await until('it is aside', async () =>
    evaluator.notices().some((notice) => /device \d+; the log/.test(notice)),
  )
  await fleet.commit(excursion(8), 1)
  await until('another device of the unit is judged', async () => (await fleet.alerts()).length > 0)
  expect(await fleet.alerts()).toMatchObject([{ peak: 8 }])
  expect(await fleet.failures()).toBe(0)
  defect.centi = null
  // Else it would be tried again within a minute.
  await evaluator.stop()
  fleet.startEvaluator()
  await until('it is judged', async () => (await fleet.alerts()).some(({ peak }) => peak === DEFECTIVE))
})
