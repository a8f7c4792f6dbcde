import { expect, test } from 'vitest'
import { linearAxis, logAxis, ninesAxis } from './axis.ts'

const labels = (axis: { ticks: readonly { label: string }[] }) => axis.ticks.map(({ label }) => label)

test.each([
  [246_000, ['0', '50,000', '100,000', '150,000', '200,000', '250,000']],
  [12, ['0', '2', '4', '6', '8', '10', '12']],
  [0.95, ['0', '0.2', '0.4', '0.6', '0.8', '1']],
  [1, ['0', '0.2', '0.4', '0.6', '0.8', '1']],
  [0, ['0', '0.2', '0.4', '0.6', '0.8', '1']],
])('an axis up to %d has round steps and ends above it', (max, expected) => {
  const axis = linearAxis(max)
  expect(labels(axis)).toEqual(expected)
  expect(axis.place(0)).toBe(0)
  expect(axis.place(max)).toBeLessThanOrEqual(1)
})

test('a logarithmic axis has whole decades, also of one value, and nothing below its bottom', () => {
  const axis = logAxis(0.5, 340)
  expect(labels(axis)).toEqual(['0.1', '1', '10', '100', '1,000'])
  expect(axis.place(10)).toBeCloseTo(0.5)
  expect(axis.place(0)).toBe(0)
  expect(labels(logAxis(10, 10))).toEqual(['10', '20', '50', '100'])
})

test('every nine takes as much room as the one before it, the maximum is last', () => {
  const axis = ninesAxis([0, 50, 90, 99.95, 100])
  expect(labels(axis)).toEqual(['p50', 'p90', 'p99', 'p99.9', 'max'])
  const gaps = [90, 99, 99.9].map((percentile) => axis.place(percentile))
  expect((gaps[2] ?? 0) - (gaps[1] ?? 0)).toBeCloseTo((gaps[1] ?? 0) - (gaps[0] ?? 0))
  expect(axis.place(100)).toBe(1)
  expect(axis.place(0)).toBe(0)
})
