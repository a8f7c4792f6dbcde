import { expect, test } from 'vitest'
import { RULE_SETS } from '../measurements/judged-fleet.ts'
import { miniContext, valuesOf } from '../testing/context.ts'
import { measureEvaluator } from './evaluator.ts'

/** One pattern of readings. */
async function measure(ruleSets = RULE_SETS) {
  const { shapes } = await measureEvaluator({ ...(await miniContext()), seconds: 0 }, ruleSets)
  return shapes
}

test('a run counts when the alerts are those that the readings hold', async () => {
  const shapes = await measure()
  expect(shapes.map(({ problems }) => problems)).toEqual([[], []])
  for (const shape of shapes) {
    const values = valuesOf(shape)
    expect(values['judged, per core']).toBeGreaterThan(0)
    expect(values['state of a device, as JSON']).toBeGreaterThan(0)
  }
})

test('a run does not count when alerts are missing, and its figures are left out', async () => {
  const [shape] = await measure([{ name: 'no rule', conditions: [] }])
  expect(shape?.problems).toEqual(['round 1: 0 alerts were raised in 20 check-ins, expected 5000'])
  expect(shape?.figures).toEqual([])
})
