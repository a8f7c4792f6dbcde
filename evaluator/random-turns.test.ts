import { expect, test } from 'vitest'
import { alertsOfRandomTurns } from './testing/random-turns.ts'

const RUNS = 2
const run = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())

test.each(Array.from({ length: RUNS }, (_, index) => `${run}/${index}`))(
  `what is late, while there is too little time for it and sessions die, makes the alerts of all rows (FROSTGUARD_TEST_SEED=${run}): %s`,
  async (seed) => {
    const { inOrder, inTurns } = await alertsOfRandomTurns(seed)
    expect(inOrder.length).toBeGreaterThan(0)
    expect(inTurns).toEqual(inOrder)
  },
)
