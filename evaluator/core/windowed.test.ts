import { describe, expect, it } from 'vitest'
import { every, judgingOf, readingAt, temperatures, times } from '../testing/judging.ts'
import { isInOrder, newDeviceState, step } from './device.ts'
import { fold } from './fold.ts'
import type { Condition, ReadingInput } from './types.ts'
import { WINDOW_READINGS_MAX } from './windowed.ts'

const seconds = (value: number) => value * 1_000

function timesBy(condition: Condition, readings: readonly ReadingInput[]) {
  return fold(readings, judgingOf(condition)).episodes.map(times)
}

describe('cumulative', () => {
  const HALF_AN_HOUR: Condition = {
    type: 'temperature_cumulative',
    direction: 'above',
    limitCenti: 800,
    totalMs: seconds(900),
    windowMs: seconds(3_600),
  }

  it('sums the time that readings beyond the limit were held, good ones between', () => {
    expect(timesBy(HALF_AN_HOUR, every(300, [9, 7, 9, 7, 9]))).toEqual([])
    expect(timesBy(HALF_AN_HOUR, every(300, [9, 7, 9, 7, 9, 7]))).toEqual([[0, 1_500, null]])
  })

  it('what a reading holds at which it is false is not confirmed, also beyond the limit: it may be the end', () => {
    const isShort: Condition = { ...HALF_AN_HOUR, windowMs: seconds(900) }
    // False at 2,100 already, as the gap leaves nothing in the window.
    const readings = [...every(300, [9, 9, 9, 9]), ...temperatures([2_100, 9], [2_400, 9])]
    const [episode] = fold(readings, judgingOf(isShort)).episodes
    expect(episode).toMatchObject({
      endedAtMs: seconds(2_100),
      confirmedMs: seconds(900),
      unknownMs: seconds(1_200),
    })
  })

  it('a reading at the limit is not beyond it', () => {
    expect(timesBy(HALF_AN_HOUR, every(300, [8, 8, 8, 8, 8]))).toEqual([])
  })

  it('counts known time only', () => {
    expect(timesBy(HALF_AN_HOUR, temperatures([0, 9], [300, 9], [1_200, 9], [1_500, 9]))).toEqual([])
    const [episode] = fold(
      temperatures([0, 9], [300, 9], [1_200, 9], [1_500, 9], [1_800, 9]),
      judgingOf(HALF_AN_HOUR),
    ).episodes
    expect(episode).toMatchObject({
      triggeredAtMs: seconds(1_800),
      confirmedMs: seconds(900),
      unknownMs: seconds(900),
    })
  })

  it('counts what lies in the window, a part of a held time too', () => {
    const apart = (last: number) =>
      temperatures([0, 9], [600, 7], [1_200, 7], [1_800, 7], [2_400, 7], [last, 9], [last + 600, 7])
    // 0 to 600 lies in the window of 3,600 s that ends at 3,600: together with 3,000 to 3,600 that makes 1,200 s.
    expect(timesBy(HALF_AN_HOUR, apart(3_000))).toEqual([[0, 3_600, null]])
    // At 3,900 its last 300 s are left, which complete the 900 s.
    expect(
      timesBy(
        HALF_AN_HOUR,
        temperatures(
          ...([
            [0, 9],
            [600, 7],
            [1_200, 7],
            [1_800, 7],
            [2_400, 7],
            [3_000, 7],
            [3_300, 9],
            [3_900, 7],
          ] as const),
        ),
      ),
    ).toEqual([[0, 3_900, null]])
    expect(
      timesBy(
        HALF_AN_HOUR,
        temperatures(
          ...([
            [0, 9],
            [600, 7],
            [1_200, 7],
            [1_800, 7],
            [2_400, 7],
            [3_000, 7],
            [3_301, 9],
            [3_901, 7],
          ] as const),
        ),
      ),
    ).toEqual([])
  })

  it('ends at two consecutive readings at which it is false, at the first of them', () => {
    const readings = every(300, [9, 9, 9, 9, ...Array.from({ length: 12 }, () => 7)])
    const [episode] = fold(readings, judgingOf(HALF_AN_HOUR)).episodes
    // At 3,600 all 1,200 s are in the window, at 3,900 900 of them.
    expect(episode && times(episode)).toEqual([0, 900, 4_200])
    expect(episode).toMatchObject({ peakCenti: 900, limitCenti: 800, confirmedMs: seconds(1_200) })
  })

  it('the same below a limit', () => {
    const cold: Condition = { ...HALF_AN_HOUR, direction: 'below', limitCenti: 200 }
    expect(timesBy(cold, every(300, [1, 3, 1, 3, 1, 3]))).toEqual([[0, 1_500, null]])
  })
})

describe('n of m', () => {
  const THREE_OF_5: Condition = {
    type: 'temperature_n_of_m',
    direction: 'above',
    limitCenti: 500,
    n: 3,
    m: 5,
  }

  it('is met when n of the last m readings are beyond the limit', () => {
    expect(timesBy(THREE_OF_5, every(300, [6, 4, 6, 4, 5]))).toEqual([])
    expect(timesBy(THREE_OF_5, every(300, [6, 4, 6, 4, 6]))).toEqual([[0, 1_200, null]])
    expect(timesBy(THREE_OF_5, every(300, [6, 4, 4, 6, 4, 6]))).toEqual([])
  })

  it('needs no m readings to be met', () => {
    expect(timesBy(THREE_OF_5, every(300, [6, 6, 6]))).toEqual([[0, 600, null]])
  })

  it('ends at two consecutive readings at which it is false, at the first of them', () => {
    // False from 1,500 on: 2 of 5.
    expect(timesBy(THREE_OF_5, every(300, [6, 6, 6, 4, 4, 4]))).toEqual([[0, 600, null]])
    expect(timesBy(THREE_OF_5, every(300, [6, 6, 6, 4, 4, 4, 4]))).toEqual([[0, 600, 1_500]])
  })

  it('a gap of over 4 h empties the readings, a shorter one does not', () => {
    const afterGap = (gap: number) => temperatures([0, 6], [300, 6], [300 + gap, 6])
    expect(timesBy(THREE_OF_5, afterGap(4 * 3_600))).toEqual([[0, 14_700, null]])
    expect(timesBy(THREE_OF_5, afterGap(4 * 3_600 + 1))).toEqual([])
  })

  it('has the worst of the readings that made it, and their known time, as evidence', () => {
    expect(fold(every(300, [6.5, 4, 6, 4, 5.5]), judgingOf(THREE_OF_5)).episodes).toMatchObject([
      { triggerCenti: 550, limitCenti: 500, peakCenti: 650, confirmedMs: seconds(600), unknownMs: 0 },
    ])
  })
})

describe('rate of change', () => {
  const RISING: Condition = {
    type: 'rate_of_change',
    direction: 'rising',
    deltaCenti: 250,
    windowMs: seconds(900),
  }

  it('is met by a change against any reading of the window, both ends of it included', () => {
    expect(timesBy(RISING, every(300, [2.22, 2.78, 3.61, 4.72]))).toEqual([[0, 900, null]])
    expect(timesBy(RISING, every(300, [2.23, 2.78, 3.61, 4.72]))).toEqual([])
    expect(timesBy(RISING, temperatures([0, 2.22], [300, 2.78], [600, 3.61], [901, 4.72]))).toEqual([])
  })

  it('begins with the first reading that the change is against, and has the greatest change as evidence', () => {
    expect(fold(every(300, [2, 1, 4.5]), judgingOf(RISING)).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(600), triggerCenti: 350, limitCenti: 250, peakCenti: 350 },
    ])
  })

  it('does not look back over a gap', () => {
    expect(timesBy(RISING, temperatures([0, 2], [601, 5]))).toEqual([])
    expect(timesBy(RISING, temperatures([0, 2], [600, 5]))).toEqual([[0, 600, null]])
  })

  it('ends at two consecutive readings at which it is false, with no unknown time between', () => {
    expect(timesBy(RISING, every(300, [2, 5, 5, 5, 5, 5]))).toEqual([[0, 300, 1_200]])
    expect(
      timesBy(RISING, temperatures([0, 2], [300, 5], [600, 5], [900, 5], [1_200, 5], [1_801, 5])),
    ).toEqual([[0, 300, null]])
  })

  it('falling', () => {
    const falling: Condition = { ...RISING, direction: 'falling' }
    expect(fold(every(300, [6, 3.5]), judgingOf(falling)).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: seconds(300), triggerCenti: 250, limitCenti: 250, peakCenti: 250 },
    ])
    expect(timesBy(falling, every(300, [2, 5]))).toEqual([])
  })
})

it('a window with more readings than a state may hold is judged from rows', () => {
  const judging = judgingOf({
    type: 'rate_of_change',
    direction: 'rising',
    deltaCenti: 250,
    windowMs: seconds(86_400),
  })
  const state = newDeviceState()
  const many = every(
    10,
    Array.from({ length: WINDOW_READINGS_MAX }, () => 3),
  )
  for (const reading of many) step(state, reading, judging)
  const next = (number: number) => readingAt((WINDOW_READINGS_MAX + number) * 10, { temperatureCenti: 600 })
  expect(isInOrder(state, next(0))).toBe(true)
  expect(step(state, next(0), judging)).toMatchObject([{ startedAtMs: 0 }])
  expect(isInOrder(state, next(1))).toBe(false)
  expect(JSON.stringify(state).length).toBeLessThan(1_000)
  expect(fold([...many, next(0), next(1)], judging)).toMatchObject({
    state: { isOverfull: true },
    episodes: [{ startedAtMs: 0, triggeredAtMs: next(0).atMs }],
  })
})
