import { expect, test } from 'vitest'
import { type DoorMoment, doorDurations, type StoredDoorMoment } from './door-durations.ts'

const open = (second: number): DoorMoment => ({ occurredAtMs: second * 1000, state: 'open' })
const closed = (second: number): DoorMoment => ({ occurredAtMs: second * 1000, state: 'closed' })
const stored = (moment: DoorMoment, durationSeconds: number | null = null): StoredDoorMoment => ({
  ...moment,
  durationSeconds,
})

test('a close ends the opening before it', () => {
  expect(doorDurations([open(10), closed(40)], []).durations).toEqual([null, 30])
})

test('of repeated opens the first counts, and a repeated close ends nothing', () => {
  expect(doorDurations([open(10), open(20), closed(40), closed(50)], []).durations).toEqual([
    null,
    null,
    30,
    null,
  ])
})

test('a close without a known open has no duration', () => {
  expect(doorDurations([closed(40)], [stored(closed(5))]).durations).toEqual([null])
})

test('at equal times the open comes first', () => {
  expect(doorDurations([closed(10), open(10)], []).durations).toEqual([0, null])
})

test('an open that arrives late corrects the stored close after it', () => {
  const found = doorDurations([open(10)], [stored(closed(40), null)])
  expect(found.corrections).toEqual([{ occurredAtMs: 40_000, durationSeconds: 30 }])
})

test('a close that arrives late takes the opening from the stored close after it', () => {
  const found = doorDurations([closed(20)], [stored(open(10)), stored(closed(40), 30)])
  expect(found.durations).toEqual([10])
  expect(found.corrections).toEqual([{ occurredAtMs: 40_000, durationSeconds: null }])
})

test('events that are stored already are named and change nothing', () => {
  const found = doorDurations([open(10), closed(40)], [stored(open(10)), stored(closed(40), 30)])
  expect([...found.duplicates]).toEqual([0, 1])
  expect(found.corrections).toEqual([])
})
