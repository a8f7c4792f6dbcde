import { expect, test } from 'vitest'
import type { LoadShape } from '../context.ts'
import { LOSE_A_ROW, miniContextWithCopies, valuesOf } from '../testing/context.ts'
import { measureGrowth } from './growth.ts'

const SMALL: LoadShape = { name: 'mini', connections: 2, readingsPerMessage: 5, devices: 10, inFlightMax: 4 }

test('compares more rows and more devices with the beginning', async () => {
  const context = await miniContextWithCopies()
  const { shapes } = await measureGrowth(context, SMALL)
  const [result] = shapes
  expect(result?.problems).toEqual([])
  const values = valuesOf(result ?? { figures: [] })
  const first = values['10 devices, 0 rows'] ?? Number.NaN
  expect(values['10 devices, 5,000 rows: share of the first']).toBeCloseTo(
    (values['10 devices, 5,000 rows'] ?? 0) / first,
  )
  expect(values['200 devices, 0 rows: share of the first']).toBeCloseTo(
    (values['200 devices, 0 rows'] ?? 0) / first,
  )
  expect(values['200 devices, 0 rows: heap of the service']).toBeGreaterThan(0)
  expect(result?.series?.map(({ points }) => points.map(([x]) => x)) ?? []).toEqual(
    process.platform === 'linux'
      ? [
          [0, 5_000],
          [10, 200],
        ]
      : [],
  )
})

test('does not count when a row has vanished', async () => {
  const context = await miniContextWithCopies({ sql: LOSE_A_ROW })
  const { shapes } = await measureGrowth(context, SMALL)
  expect(shapes[0]?.problems).toEqual([
    expect.stringMatching(
      /^round 1: 10 devices, 0 rows: rows in sensor_readings, of the readings acknowledged: .* \(-1\)$/,
    ),
  ])
  expect(shapes[0]?.figures).toEqual([])
})
