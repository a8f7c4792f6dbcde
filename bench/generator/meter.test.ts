import { expect, test } from 'vitest'
import { Meter } from './meter.ts'

test('measures the latency of what was due while it measured, also where the answer came later', () => {
  const meter = new Meter()
  const before = performance.now()
  meter.begin()
  meter.count(before, before + 50_000, 3)
  const due = performance.now()
  const rates = meter.end()
  expect(rates.acknowledgedMessages).toBe(1)
  expect(rates.readingsPerSecond * rates.seconds).toBeCloseTo(3)
  // While it drains: one that was due in time, and one that was not.
  meter.count(due, due + 2_000, 1)
  meter.count(due + 60_000, due + 90_000, 1)
  const { latencyMs, latencyPercentiles } = meter.latency()
  expect(latencyMs.max / 2_000).toBeCloseTo(1, 2)
  expect(latencyMs.p50).toBe(latencyMs.max)
  expect(latencyPercentiles.length).toBeGreaterThan(0)
  expect([meter.acknowledged, meter.acknowledgedItems]).toEqual([3, 5])
})
