import { expect, it } from 'vitest'
import { Random } from '../simulators/random.ts'
import { describeDifference } from './testing/describe-stream.ts'
import { firstDifference, shrink, streamOf } from './testing/order-independence.ts'

const STREAMS = 10_000
const run = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())

it(`the alerts of ${STREAMS} streams are those of the rows so far (FROSTGUARD_TEST_SEED=${run})`, () => {
  for (let index = 0; index < STREAMS; index += 1) {
    const seed = `${run}/${index}`
    const stream = streamOf(seed)
    const random = new Random(seed, 'commits')
    const difference = firstDifference(stream, () => random.chance(0.01))
    if (difference) expect.fail(`stream ${seed}\n${describeDifference(shrink(stream))}`)
  }
})
