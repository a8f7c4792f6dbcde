import { expect, test } from 'vitest'
import { ArrivalTimes } from './arrival-times.ts'

test('each item gets a time of its own, in whatever order they come', () => {
  const times = new ArrivalTimes()
  expect([times.take(1, 500), times.take(1, 500), times.take(1, 100), times.take(1, 500)]).toEqual([
    500, 501, 100, 502,
  ])
})

test('what has a time already keeps it, and other devices are not concerned', () => {
  const times = new ArrivalTimes()
  for (const atMs of [100, 101, 103]) times.occupy(1, atMs)
  expect([times.take(1, 100), times.take(1, 100), times.take(2, 100)]).toEqual([102, 104, 100])
})
