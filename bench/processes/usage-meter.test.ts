import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startUsage } from './usage-meter.ts'

test('samples each second say what the average says', async () => {
  let cpuSeconds = 0
  const usage = startUsage({ busy: () => cpuSeconds, untold: () => undefined })
  for (let step = 0; step < 25; step++) {
    await sleep(100)
    cpuSeconds += 0.05
  }
  const { cores, coresOverTime } = usage.end()
  expect(Object.keys(cores)).toEqual(['busy'])
  const samples = coresOverTime['busy'] ?? []
  expect(samples.length).toBeGreaterThanOrEqual(2)
  expect(coresOverTime['untold']).toEqual([])
  let before = 0
  let counted = 0
  for (const [at, value] of samples) {
    counted += value * (at - before)
    before = at
  }
  // What came after the last sample is in the average only.
  expect(counted).toBeGreaterThan(0)
  expect(counted).toBeLessThanOrEqual(cpuSeconds + 1e-9)
})

test.skipIf(!existsSync('/proc/self/stat'))('memory is sampled below its highest', async () => {
  const usage = startUsage({}, process.pid)
  await sleep(1_200)
  const { residentBytesMax, residentBytesOverTime } = usage.end()
  expect(residentBytesOverTime.length).toBeGreaterThanOrEqual(1)
  for (const [at, bytes] of residentBytesOverTime) {
    expect(at).toBeGreaterThan(0)
    expect(bytes).toBeLessThanOrEqual(residentBytesMax ?? 0)
  }
})
