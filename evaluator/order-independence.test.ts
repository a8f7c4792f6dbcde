import { describe, expect, it } from 'vitest'
import { Random } from '../simulators/random.ts'
import { describeDifference } from './testing/describe-stream.ts'
import { firstDifference, shrink, streamOf } from './testing/order-independence.ts'

const STREAMS = 200

describe('whatever arrives, and in whichever order', () => {
  it(`the alerts are those of the rows so far, at every commit (${STREAMS} random streams)`, () => {
    const run = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())
    for (let index = 0; index < STREAMS; index += 1) {
      const seed = `${run}/${index}`
      const stream = streamOf(seed)
      const random = new Random(seed, 'commits')
      const difference = firstDifference(stream, () => random.chance(0.01))
      if (!difference) continue
      expect.fail(`seed ${seed}\n${describeDifference(shrink(stream))}`)
    }
  })
})
