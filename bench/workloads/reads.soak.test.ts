import { expect, test } from 'vitest'
import type { LoadShape } from '../context.ts'
import { LOSE_A_ROW, miniContextWithCopies, valuesOf } from '../testing/context.ts'
import { measureReads } from './reads.ts'

const SHAPE: LoadShape = { name: 'mini', connections: 2, readingsPerMessage: 3, devices: 12, inFlightMax: 2 }

test('reads a day of a device and of a unit, idle and beside a load', async () => {
  const { shapes } = await measureReads(await miniContextWithCopies(), SHAPE)
  const [result] = shapes
  expect(result?.problems).toEqual([])
  const values = valuesOf(result ?? { figures: [] })
  // A reading in five minutes, but for the last ones, which hubs have not sent yet.
  const device = values['idle: one device, readings found'] ?? 0
  expect(device).toBeGreaterThan(280)
  expect(device).toBeLessThanOrEqual(288)
  expect(values['idle: one unit, readings found']).toBeCloseTo(device * 3, -1)
  expect(values['beside half load: one device, readings found']).toBeGreaterThan(device)
  expect(values['beside half load: one unit, p99']).toBeGreaterThanOrEqual(
    values['beside half load: one unit, p50'] ?? Number.POSITIVE_INFINITY,
  )
})

test('does not count when a row has vanished', async () => {
  const context = await miniContextWithCopies({ sql: LOSE_A_ROW })
  const { shapes } = await measureReads(context, SHAPE)
  expect(shapes[0]?.problems).toEqual([
    expect.stringMatching(/^round 1: rows in sensor_readings, of the readings acknowledged: .* \(-1\)$/),
  ])
  expect(shapes[0]?.figures).toEqual([])
})
