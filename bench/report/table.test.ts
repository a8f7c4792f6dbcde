import { expect, test } from 'vitest'
import { FigureSet, isReached, median } from './figures.ts'
import { workloadTable } from './table.ts'

test('the median of an even number of rounds lies between the two in the middle', () => {
  expect(median([5, 1, 3])).toBe(3)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([])).toBeNaN()
})

test('a target is reached by the median, at its limit too', () => {
  const figure = (values: number[], target: { atLeast: number } | { atMost: number }) =>
    ({ name: 'x', unit: 'share', values, target }) as const
  expect(isReached(figure([0.1, 0.85, 0.9], { atLeast: 0.85 }))).toBe(true)
  expect(isReached(figure([0.1, 0.84, 0.9], { atLeast: 0.85 }))).toBe(false)
  expect(isReached(figure([130, 125, 1], { atMost: 125 }))).toBe(true)
  expect(isReached(figure([130, 126, 1], { atMost: 125 }))).toBe(false)
  expect(isReached({ name: 'x', unit: 'share', values: [1] })).toBeUndefined()
})

test('the table shows median and spread, targets missed as well as reached, and what does not count', () => {
  const figures = new FigureSet()
  for (const value of [90_000, 100_500, 120_000])
    figures.add('rate', 'readings/s', value, { atLeast: 100_000 })
  figures.add('share', 'share', 0.5, { atLeast: 0.85 })
  figures.add('not told by this system', 'MB', undefined)
  const result = { shape: 'mini', figures: figures.all(), problems: ['round 2: 1 row missing'] }
  expect(workloadTable({ workload: 'throughput', shapes: [result] })).toBe(`throughput

  mini    median  lowest  highest              target
  rate   100,500  90,000  120,000  readings/s  at least 100,000: reached
  share    0.500   0.500    0.500  share       at least 0.850: NOT REACHED

  DOES NOT COUNT: round 2: 1 row missing
`)
})
