import { expect, test } from 'vitest'
import { miniContext, valuesOf } from '../testing/context.ts'
import { measureEvaluator } from './evaluator.ts'

test('a run counts when the alerts are those that the readings hold', async () => {
  const { shapes } = await measureEvaluator(await miniContext())
  expect(shapes.map(({ problems }) => problems)).toEqual([[], []])
  for (const shape of shapes) {
    const values = valuesOf(shape)
    expect(values['judged, per core']).toBeGreaterThan(0)
    expect(values['state of a device, as JSON']).toBeGreaterThan(0)
  }
})
