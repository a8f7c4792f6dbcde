import { expect, test } from 'vitest'
import { LeakyBuckets } from './leaky-buckets.ts'
import { randomSeed, seeded } from './testing.ts'

const OPTIONS = { capacity: 3, leakPerSecond: 2, keysMax: 100 }

test('so many at once, so many a second in the long run', () => {
  const buckets = new LeakyBuckets(OPTIONS)
  expect([0, 0, 0, 0].map((now) => buckets.pour('a', now))).toEqual([true, true, true, false])
  expect(buckets.pour('a', 499)).toBe(false)
  expect(buckets.pour('a', 500)).toBe(true)
  expect(buckets.pour('a', 500)).toBe(false)
  const later = Array.from({ length: 1_000 }, (_, index) => buckets.pour('a', 1_000 + index * 10))
  // Ten seconds of two a second, and what had run out before.
  expect(later.filter(Boolean).length).toBeGreaterThanOrEqual(20)
  expect(later.filter(Boolean).length).toBeLessThanOrEqual(22)
})

test('keys do not share, and what is full is listed', () => {
  const buckets = new LeakyBuckets(OPTIONS)
  for (let count = 0; count < 3; count++) buckets.pour('a', 0)
  expect(buckets.pour('b', 0)).toBe(true)
  expect(buckets.full(0)).toEqual(['a'])
  expect(buckets.full(1_000)).toEqual([])
})

test('taken back, emptied, and above the brim', () => {
  const buckets = new LeakyBuckets(OPTIONS)
  for (let count = 0; count < 5; count++) buckets.add('a', 0)
  expect(buckets.isFull('a', 1_000)).toBe(true)
  expect(buckets.isFull('a', 1_500)).toBe(false)
  buckets.add('a', 1_500)
  expect(buckets.isFull('a', 1_500)).toBe(true)
  buckets.takeBack('a', 1_500)
  expect(buckets.isFull('a', 1_500)).toBe(false)
  buckets.add('a', 1_500)
  buckets.empty('a')
  expect(buckets.isFull('a', 1_500)).toBe(false)
  buckets.takeBack('nobody', 0)
  expect(buckets.size).toBe(0)
})

test('remembers a bounded number of keys, and forgets the empty ones first', () => {
  const buckets = new LeakyBuckets(OPTIONS)
  for (let index = 0; index < 500; index++) buckets.add(`k${index}`, 0)
  expect(buckets.size).toBe(100)
  expect(buckets.isFull('k499', 0)).toBe(false)
  for (let index = 0; index < 60; index++) buckets.add(`later${index}`, 10_000)
  expect(buckets.size).toBe(60)
})

test('random use never lets more through than capacity and leak allow', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const buckets = new LeakyBuckets({ capacity: 5, leakPerSecond: 10, keysMax: 10 })
  let now = 0
  let passed = 0
  for (let count = 0; count < 5_000; count++) {
    now += random() * 50
    if (buckets.pour('a', now)) passed++
    expect(passed, `seed ${seed}`).toBeLessThanOrEqual(5 + (now / 1_000) * 10)
  }
  expect(passed, `seed ${seed}`).toBeGreaterThan(1_000)
})
