import { expect, test } from 'vitest'
import { highestOf, lowestOf, type Point, thinned } from './points.ts'

test('a long line keeps its shape and its peaks in few points', () => {
  const points = Array.from({ length: 100_000 }, (_, x): Point => [x, x === 77_777 ? 9 : x === 3 ? -9 : 1])
  const few = thinned(points, 200)
  expect(few.length).toBeLessThanOrEqual(200)
  expect(few).toContainEqual([77_777, 9])
  expect(few).toContainEqual([3, -9])
  const xs = few.map(([x]) => x)
  expect(xs).toEqual(xs.toSorted((a, b) => a - b))
  expect(xs.at(-1)).toBeGreaterThan(98_000)
})

test('a short line stays as it is', () => {
  const points: Point[] = [
    [0, 1],
    [1, 2],
  ]
  expect(thinned(points, 2)).toBe(points)
})

test('extremes of a million values', () => {
  const values = Array.from({ length: 1_000_000 }, (_, index) => index)
  expect(highestOf(values, 0)).toBe(999_999)
  expect(lowestOf(values)).toBe(0)
  expect(highestOf([], 0)).toBe(0)
})
