import { describe, expect, test } from 'vitest'
import { Random } from '../random.ts'
import { DEVICES, START_MS } from '../testing/messages.ts'
import { randomSeed } from '../testing/rates.ts'
import { PublisherClock } from './publisher-clock.ts'

const HOUR_MS = 3_600_000
const [DEVICE, OTHER] = DEVICES

function clockOf(seed: number, perHour: number) {
  let faults = 0
  const clock = new PublisherClock({
    random: new Random(seed, 'clock'),
    perHour,
    startMs: START_MS,
    onWrong: () => {
      faults += 1
    },
  })
  return { clock, faults: () => faults }
}

test('a clock without faults shows the true time, to two milliseconds', () => {
  const { clock, faults } = clockOf(1, 0)
  for (let at = START_MS; at < START_MS + 10_000; at += 7) {
    expect(clock.read(at)).toBe(at)
    expect(at - clock.stamp(DEVICE, at)).toBeLessThan(2)
  }
  expect(faults()).toBe(0)
})

describe('at most one measurement of a device has a time', () => {
  test('also where a sensor measures faster than the clock ticks', () => {
    const { clock } = clockOf(1, 0)
    const stamps = [0, 0.2, 0.9, 1, 1].map((later) => clock.stamp(DEVICE, START_MS + later) - START_MS)
    expect(stamps).toEqual([0, 2, 4, 6, 8])
    expect(clock.stamp(OTHER, START_MS + 1)).toBe(START_MS)
  })

  const seed = randomSeed()
  test(`also when the clock steps back again and again (seed ${seed})`, () => {
    // So often wrong that times meet: a measurement a second for six hours, and hundreds of corrections.
    const { clock, faults } = clockOf(seed, 3_600)
    const used = new Set<number>()
    let stepsBack = 0
    let last = 0
    for (let at = START_MS; at < START_MS + 6 * HOUR_MS; at += 1_000) {
      const stamp = clock.stamp(DEVICE, at)
      // Correct and wrong times cannot meet.
      expect(stamp % 2).toBe(clock.read(at) === at ? 0 : 1)
      if (stamp < last) stepsBack += 1
      last = stamp
      used.add(stamp)
    }
    expect(used.size).toBe(6 * 3_600)
    expect(faults()).toBeGreaterThan(3)
    expect(stepsBack).toBeGreaterThan(2)
  })

  test('a wrong clock that shows the same moment a second time goes on to the next free one', () => {
    // One measurement for ever repeated, at any offset: the wrong times of a device are all its own.
    const { clock } = clockOf(5, 1e9)
    const stamps = Array.from({ length: 200 }, () => clock.stamp(DEVICE, START_MS + 1_000))
    expect(new Set(stamps).size).toBe(200)
    expect(new Set(stamps.map((stamp) => stamp % 2))).toEqual(new Set([1]))
  })
})

const seed = randomSeed()
test(`a wrong clock is off by two hours at most, drifts, and is corrected (seed ${seed})`, () => {
  const { clock, faults } = clockOf(seed, 2)
  let wrong = 0
  let jumps = 0
  let lastOffset = 0
  let drifted = false
  for (let at = START_MS; at < START_MS + 200 * HOUR_MS; at += 10_000) {
    const offset = clock.read(at) - at
    // 200 ppm of the longest time that it stays wrong.
    expect(Math.abs(offset)).toBeLessThanOrEqual(2 * HOUR_MS + 200e-6 * 10 * HOUR_MS)
    if (offset !== 0) wrong += 1
    if (Math.abs(offset - lastOffset) > 5_000) jumps += 1
    else if (offset !== lastOffset) drifted = true
    lastOffset = offset
  }
  expect(drifted).toBe(true)
  expect(wrong).toBeGreaterThan(0)
  // Each fault is a jump away and, but for the last, a jump back.
  expect(jumps).toBeGreaterThan(faults())
  // 200 hours at 2 an hour, each of which lasts 11 minutes: some 290.
  expect(faults()).toBeGreaterThan(200)
  expect(faults()).toBeLessThan(400)
})
