import { describe, expect, it } from 'vitest'
import { Random } from '../simulators/random.ts'
import { describeDifference } from './testing/describe-stream.ts'
import { firstDifference, shrink, streamOf } from './testing/order-independence.ts'
import { checkRenewals } from './testing/renewal-property.ts'

const STREAMS = 200
/** Compared after each of their inputs. */
const STREAMS_IN_FULL = 4
const run = process.env['FROSTGUARD_TEST_SEED'] ?? String(Date.now())

describe(`whatever arrives, and in whichever order (FROSTGUARD_TEST_SEED=${run})`, () => {
  it.each([
    [STREAMS, 'at a hundredth of its commits', 0.01],
    [STREAMS_IN_FULL, 'at every commit', 1],
  ])('the alerts of %d streams are those of the rows so far, %s', (streams, _when, share) => {
    for (let index = 0; index < streams; index += 1) {
      const seed = `${run}/${share}/${index}`
      const stream = streamOf(seed)
      const random = new Random(seed, 'commits')
      const difference = firstDifference(stream, () => random.chance(share))
      if (difference) expect.fail(`stream ${seed}\n${describeDifference(shrink(stream))}`)
    }
  })

  it('a fold that begins at a renewal says what a fold of everything says', () => {
    let renewed = 0
    for (let index = 0; index < STREAMS; index += 1) {
      const seed = `${run}/renewals/${index}`
      const check = checkRenewals(new Random(seed, 'renewals'), streamOf(seed))
      expect(check.difference, `stream ${seed}`).toBeNull()
      renewed += check.renewed
    }
    expect(renewed).toBeGreaterThan(STREAMS / 4)
  })
})
