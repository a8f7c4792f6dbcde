import { expect, test } from 'vitest'
import { ClockWatch } from './clock-watch.ts'

const START = Date.UTC(2026, 10, 20)

test('a clock that runs on is no step, nor is one that is set by a minute', () => {
  const watch = new ClockWatch(START, 0)
  expect(watch.check(START + 5_000, 5_000)).toBeUndefined()
  expect(watch.check(START + 70_000, 10_000)).toBeUndefined()
  // Each step is measured from the last one.
  expect(watch.check(START + 71_000, 11_000)).toBeUndefined()
})

test('a step of more than a minute is an interval, forwards and back', () => {
  const watch = new ClockWatch(START, 0)
  const forward = START + 172_800_000
  expect(watch.check(forward + 1_000, 1_000)).toEqual({ fromMs: START + 1_000, toMs: forward + 1_000 })
  expect(watch.check(forward + 2_000, 2_000)).toBeUndefined()
  const back = forward + 3_000 - 3_600_000
  expect(watch.check(back, 3_000)).toEqual({ fromMs: back, toMs: forward + 3_000 })
})
