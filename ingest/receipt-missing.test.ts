import { expect, test } from 'vitest'
import { addRun, listMissing, type Run, removeCounter } from './receipt-missing.ts'

test('counters are listed one by one, more than 100 in a row as a pair', () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 200 + n)
  expect(
    listMissing([
      [3, 4],
      [10, 110],
      [200, 299],
    ]),
  ).toEqual([3, 4, [10, 110], ...hundred])
  expect(listMissing([])).toEqual([])
})

test('a list has at most 1,000 entries; the oldest become one pair that leaves none of them out', () => {
  const singles = Array.from({ length: 1_500 }, (_, n): Run => [n * 2, n * 2])
  expect(listMissing(singles.slice(0, 1_000))).toHaveLength(1_000)
  expect(listMissing(singles.slice(0, 1_000))[0]).toBe(0)
  const listed = listMissing(singles)
  expect(listed).toHaveLength(1_000)
  expect(listed.slice(0, 3)).toEqual([[0, 2 * 500], 2 * 501, 2 * 502])
  expect(listed.at(-1)).toBe(2 * 1_499)
})

test('of runs that do not fit, none is cut', () => {
  const runs = Array.from({ length: 12 }, (_, n): Run => [n * 1_000, n * 1_000 + 99])
  const listed = listMissing(runs)
  expect(listed).toHaveLength(901)
  expect(listed.slice(0, 2)).toEqual([[0, 2_099], 3_000])
})

test('only so many runs are kept: the oldest two become one', () => {
  const runs: Run[] = []
  for (let n = 0; n <= 1_000; n++) addRun(runs, [n * 10, n * 10 + 4])
  expect(runs).toHaveLength(1_000)
  expect(runs.slice(0, 2)).toEqual([
    [0, 14],
    [20, 24],
  ])
  removeCounter(runs, 10_002)
  expect(runs).toHaveLength(1_000)
  expect(runs[0]).toEqual([0, 24])
})

test('a counter is taken out at the ends and in the middle of a run; one that is not there changes nothing', () => {
  const runs: Run[] = [
    [1, 5],
    [9, 9],
  ]
  for (const counter of [1, 5, 3, 9, 7, 0, 20]) removeCounter(runs, counter)
  expect(runs).toEqual([
    [2, 2],
    [4, 4],
  ])
})
