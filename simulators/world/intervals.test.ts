import { describe, expect, it, test } from 'vitest'
import { Random } from '../random.ts'
import {
  breakdowns,
  type Interval,
  NEVER,
  never,
  periodic,
  scaled,
  Timeline,
  union,
  visits,
} from './intervals.ts'

/** The series of a list. */
function series(...intervals: [from: number, to: number][]) {
  const left = intervals.map(([from, to]) => ({ from, to }))
  return () => left.shift() ?? NEVER
}

function take(next: () => Interval, count: number): Interval[] {
  return Array.from({ length: count }, next)
}

function until(next: () => Interval, end: number): Interval[] {
  const taken: Interval[] = []
  for (let interval = next(); interval.from < end; interval = next()) taken.push(interval)
  return taken
}

describe('union', () => {
  it.each([
    ['apart', series([0, 1], [10, 11]), series([5, 6]), [0, 1, 5, 6, 10, 11]],
    ['overlapping', series([0, 5]), series([3, 8]), [0, 8]],
    ['one in the other', series([0, 10]), series([3, 8], [9, 10]), [0, 10]],
    ['touching', series([0, 5], [8, 9]), series([5, 8]), [0, 9]],
    ['chained', series([0, 4], [6, 10]), series([3, 7], [9, 12], [20, 21]), [0, 12, 20, 21]],
    ['one never', series([1, 2]), never, [1, 2]],
    ['both never', never, never, []],
  ])('of intervals %s', (_, one, other, edges) => {
    expect(until(union(one, other), Infinity).flatMap(({ from, to }) => [from, to])).toEqual(edges)
  })
})

test('a timeline knows what is in an interval: its beginning is, its end is not', () => {
  const timeline = new Timeline(series([2, 4], [6, 7]))
  expect([0, 2, 3.9, 4, 5, 6.5, 7, 100].map((time) => timeline.isInAt(time))).toEqual([
    false,
    true,
    true,
    false,
    false,
    true,
    false,
    false,
  ])
})

test('a timeline passes over intervals that nobody looked at', () => {
  const timeline = new Timeline(series([2, 4], [6, 7], [8, 9]))
  expect(timeline.isInAt(8)).toBe(true)
  expect(timeline.interval).toEqual({ from: 8, to: 9 })
})

test('periodic begins at its offset, also before 0; scaled changes the unit', () => {
  const next = scaled(periodic({ offset: -1, period: 10, length: 2 }), 60)
  expect(take(next, 2)).toEqual([
    { from: -60, to: 60 },
    { from: 540, to: 660 },
  ])
})

test('breakdowns come at their rate, last as drawn and do not overlap', () => {
  const next = breakdowns({ random: new Random('breakdowns'), meanGap: 10, drawDuration: () => 2 })
  const intervals = take(next, 5_000)
  expect((intervals.at(-1)?.to ?? 0) / 5_000).toBeCloseTo(12, 0)
  expect(intervals.every(({ from, to }) => Math.abs(to - from - 2) < 1e-6)).toBe(true)
  expect(intervals.slice(1).every(({ from }, index) => from > (intervals[index]?.to ?? Infinity))).toBe(true)
})

test('a rate of 0, whose mean gap is infinite, never breaks', () => {
  const next = breakdowns({ random: new Random('none'), meanGap: 1 / 0, drawDuration: () => 1 })
  expect(take(next, 2)).toEqual([NEVER, NEVER])
})

test('visits follow the activity of their time', () => {
  const next = visits({
    random: new Random('visits'),
    meanGapBusiest: 1,
    activity: (time) => (time < 5_000 ? 1 : 0.1),
    drawDuration: () => 0.001,
  })
  const intervals = until(next, 10_000)
  const busy = intervals.filter(({ from }) => from < 5_000).length
  expect(busy).toBeGreaterThan(4_700)
  expect(busy).toBeLessThan(5_300)
  expect(intervals.length - busy).toBeGreaterThan(420)
  expect(intervals.length - busy).toBeLessThan(580)
})
