import { expect, it } from 'vitest'
import { alertsOfRandomTurns } from './testing/random-turns.ts'

const RUNS = 100
const run = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())

it(`what is late in ${RUNS} streams makes the alerts of all rows (FROSTGUARD_TEST_SEED=${run})`, async () => {
  for (let index = 0; index < RUNS; index += 1) {
    const { inOrder, inTurns } = await alertsOfRandomTurns(`${run}/${index}`)
    expect(inOrder.length, `stream ${index}`).toBeGreaterThan(0)
    expect(inTurns, `stream ${index}`).toEqual(inOrder)
  }
})
