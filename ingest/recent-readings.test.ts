import { expect, test } from 'vitest'
import { randomSeed, seeded } from '../broker/testing.ts'
import { RecentReadings } from './recent-readings.ts'

const T0 = Date.UTC(2026, 10, 20, 10)

test('half of the limit is remembered for certain, all of it at most, and nothing else is', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const recent = new RecentReadings(2_000)
  const lastSeen = new Map<string, number>()
  for (let count = 0; count < 120_000; count++) {
    // A few thousand pairs, so that many come again, soon or late.
    const device = Math.floor(random() * 60)
    const atMs = T0 + Math.floor(random() * 80) * 60_000
    const key = `${device} ${atMs}`
    const age = count - (lastSeen.get(key) ?? Number.NEGATIVE_INFINITY)
    const known = recent.add(device, atMs)
    if (age <= 1_000) expect(known, `seed ${seed}, number ${count}`).toBe(true)
    // One that comes again is not counted again, so the limit reaches further back than so many calls.
    if (age === Number.POSITIVE_INFINITY) expect(known, `seed ${seed}, number ${count}`).toBe(false)
    lastSeen.set(key, count)
  }
  expect(lastSeen.size).toBe(4_800)
})

test('what is older than the limit is forgotten, in memory that does not grow', () => {
  const recent = new RecentReadings(10_000)
  const { bytes } = recent
  for (let index = 0; index < 100_000; index++) recent.add(1, T0 + index)
  const known = (from: number) =>
    Array.from({ length: 1_000 }, (_, index) => recent.add(1, T0 + from + index)).filter(Boolean).length
  expect(known(98_000)).toBe(1_000)
  expect(known(50_000)).toBe(0)
  expect(recent.bytes).toBe(bytes)
  expect(bytes).toBeLessThanOrEqual(10_000 * 16)
})

test('devices and times beside each other, and far apart, are told apart', () => {
  const recent = new RecentReadings(1_000_000)
  let taken = 0
  for (let device = 1; device <= 400; device++) {
    for (let second = 0; second < 400; second++) {
      if (recent.add(device, T0 + second * 1_000)) taken += 1
      if (recent.add(device, T0 + second * 2 ** 32)) taken += 1
    }
  }
  // The first second and the first step of 2^32 are the same time.
  expect(taken).toBe(400)
})
