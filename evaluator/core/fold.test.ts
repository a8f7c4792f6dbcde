import { describe, expect, it } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { randomSeed } from '../../simulators/testing/rates.ts'
import { above, every, judgingOf, readingAt, temperatures } from '../testing/judging.ts'
import { randomJudging, randomReadings } from '../testing/random-device.ts'
import { type DeviceState, isInOrder, type Judging, newDeviceState, step } from './device.ts'
import { fold } from './fold.ts'
import type { Condition, Episode, ReadingInput } from './types.ts'

const SEED = randomSeed()
const DEVICES = 150

/** Calls `check` with many devices and rules; a failure names the seed of the device. */
function forRandomDevices(check: (readings: ReadingInput[], judging: Judging, random: Random) => void): void {
  for (let seed = SEED; seed < SEED + DEVICES; seed += 1) {
    const random = new Random(seed)
    const readings = randomReadings(random)
    const judging = randomJudging(random, readings)
    try {
      check(readings, judging, random)
    } catch (error) {
      throw new Error(`The device of seed ${seed}`, { cause: error })
    }
  }
}

/** Steps over readings; the episodes as they were told last. */
function stepOver(readings: readonly ReadingInput[], judging: Judging, from?: DeviceState) {
  const state = from ?? newDeviceState()
  const ended: Episode[] = []
  let running: Episode[] = []
  for (const reading of readings) {
    const isNext = isInOrder(state, reading)
    const told = step(state, reading, judging)
    if (!isNext || isInOrder(state, reading)) throw new Error(`not in order once: ${JSON.stringify(reading)}`)
    ended.push(...told.filter(({ endedAtMs }) => endedAtMs !== null))
    running = told.filter(({ endedAtMs }) => endedAtMs === null)
  }
  return { state, episodes: [...ended, ...running] }
}

function sorted(episodes: readonly Episode[]): Episode[] {
  return episodes.toSorted((a, b) => a.triggeredAtMs - b.triggeredAtMs || (a.ruleId ?? 0) - (b.ruleId ?? 0))
}

describe(`any device under any rules, seed ${SEED}`, () => {
  it('stepping over readings in order finds what a fold finds', () => {
    let count = 0
    forRandomDevices((readings, judging) => {
      const whole = fold(readings, judging)
      const stepped = stepOver(readings, judging)
      expect(sorted(stepped.episodes)).toEqual(sorted(whole.episodes))
      expect({ ...stepped.state, versionsToMs: whole.state.versionsToMs }).toEqual(whole.state)
      count += whole.episodes.length
    })
    expect(count).toBeGreaterThan(DEVICES)
  })

  it('a state that was written as JSON and read again goes on the same', () => {
    forRandomDevices((readings, judging, random) => {
      const at = random.integer(0, readings.length)
      const first = stepOver(readings.slice(0, at), judging)
      const written: DeviceState = JSON.parse(JSON.stringify(first.state))
      expect(written).toEqual(first.state)
      const rest = readings.slice(at)
      expect(stepOver(rest, judging, written)).toEqual(stepOver(rest, judging, first.state))
    })
  })

  it('from its first renewal on, a fold over the later readings alone finds what one over all of them finds', () => {
    let compared = 0
    forRandomDevices((readings, judging, random) => {
      const from = random.integer(0, readings.length)
      const part = fold(readings.slice(from), judging)
      const [renewalMs] = part.renewals
      if (renewalMs === undefined) return
      const whole = fold(readings, judging)
      const later = ({ episodes }: { episodes: Episode[] }) =>
        sorted(episodes.filter(({ triggeredAtMs }) => triggeredAtMs > renewalMs))
      expect(later(part)).toEqual(later(whole))
      expect(part.state).toEqual(whole.state)
      // Nothing that triggered before runs over it.
      const before = whole.episodes.filter(({ triggeredAtMs }) => triggeredAtMs <= renewalMs)
      expect(before.filter(({ endedAtMs }) => endedAtMs === null || endedAtMs > renewalMs)).toEqual([])
      compared += 1
    })
    expect(compared).toBeGreaterThan(DEVICES / 10)
  })
})

describe('renewals', () => {
  const WARM = judgingOf(above(5, 600))
  const atSeconds = (readings: readonly ReadingInput[], judging = WARM) =>
    fold(readings, judging).renewals.map((ms) => ms / 1_000)

  it('are two good readings without a gap between, and each good one after them', () => {
    expect(atSeconds(every(300, [3, 3.1, 3.2]))).toEqual([300, 600])
    expect(atSeconds(temperatures([0, 3], [601, 3], [900, 3]))).toEqual([900])
  })

  it('are two good readings also where no rule looks at them: how many were good in a row is known then', () => {
    expect(atSeconds(every(300, [3, 3.1, 3.2]), judgingOf())).toEqual([300, 600])
  })

  it('are none in the band, beyond the limit, or before the second good one', () => {
    expect(atSeconds(every(300, [3, 3, 4.8, 6, 3, 4.8, 3, 3]))).toEqual([300, 2_100])
  })

  it('are none while an alert runs', () => {
    expect(atSeconds(every(300, [6, 6, 6, 3, 3]))).toEqual([1_200])
    const low = judgingOf(above(5, 600), { type: 'battery_below', limit: 20 })
    const readings = [88, 10, null, 30].map((battery, index) =>
      readingAt(index * 300, { battery, temperatureCenti: 300 }),
    )
    expect(atSeconds(readings, low)).toEqual([900])
  })

  it('wait until windows are covered by what is given', () => {
    const sum: Condition = {
      type: 'temperature_cumulative',
      direction: 'above',
      limitCenti: 500,
      totalMs: 1,
      windowMs: 600_000,
    }
    expect(atSeconds(every(300, [3, 3, 3, 3, 3, 3]), judgingOf(sum))).toEqual([1_200, 1_500])
    const rate: Condition = {
      type: 'rate_of_change',
      direction: 'rising',
      deltaCenti: 100,
      windowMs: 600_000,
    }
    expect(atSeconds(every(300, [3, 3, 3, 3, 3, 3]), judgingOf(rate))).toEqual([1_200, 1_500])
    const three: Condition = { type: 'temperature_n_of_m', direction: 'above', limitCenti: 500, n: 1, m: 3 }
    expect(atSeconds(every(300, [3, 3, 3, 3, 3, 3]), judgingOf(three))).toEqual([900, 1_200, 1_500])
  })

  it('wait for a value other than the one before, where a rule tells stuck sensors', () => {
    const stuck: Condition = { type: 'sensor_fault', kind: 'stuck', forMs: 600_000, minReadings: 2 }
    expect(atSeconds(every(300, [3, 3, 3, 3.1, 3.2]), judgingOf(above(5, 600), stuck))).toEqual([900, 1_200])
  })

  it('of no readings there are none', () => {
    expect(fold([], WARM)).toEqual({ state: newDeviceState(), episodes: [], renewals: [] })
  })
})
