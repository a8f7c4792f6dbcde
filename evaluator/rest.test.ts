import { expect, test } from 'vitest'
import { Rest, restMs } from './rest.ts'

const QUIET = { utilization: 0.5, isArriving: false, lagMs: 0 }

test('rests only while the event loop has no time left, and never long', () => {
  expect(restMs(100, { ...QUIET, utilization: 0.94 })).toBe(0)
  expect(restMs(100, { ...QUIET, utilization: 0.95 })).toBe(300)
  expect(restMs(5_000, { ...QUIET, utilization: 1 })).toBe(1_000)
})

test('what arrives comes first, until the lag is a minute', () => {
  expect(restMs(100, { ...QUIET, isArriving: true })).toBe(900)
  expect(restMs(100, { ...QUIET, isArriving: true, lagMs: 60_000 })).toBe(0)
  expect(restMs(100, { ...QUIET, isArriving: true, lagMs: 60_000, utilization: 1 })).toBe(300)
})

test('sees whether the event loop was busy since it was last asked', async () => {
  const beside = { isArriving: false, lagMs: 0 }
  const rest = new Rest()
  const begin = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(rest.after(performance.now() - begin, beside)).toBe(0)
  const busyUntil = performance.now() + 30
  while (performance.now() < busyUntil);
  expect(rest.after(30, beside)).toBe(90)
})
