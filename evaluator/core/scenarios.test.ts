import { expect, it } from 'vitest'
import {
  above,
  below,
  every,
  judgingBy,
  judgingOf,
  readingAt,
  temperatures,
  times,
  trackOf,
  version,
} from '../testing/judging.ts'
import type { Judging } from './device.ts'
import { fold } from './fold.ts'
import type { Condition, ReadingInput } from './types.ts'
import { deviceView } from './view.ts'

const TOO_WARM = above(5, 600)

function repeat<T>(value: T, count: number): T[] {
  return Array.from({ length: count }, () => value)
}

/** Start, trigger and end of what is raised, and whether the newest reading is good. */
function judged(readings: readonly ReadingInput[], judging: Judging) {
  const { state, episodes } = fold(readings, judging)
  return { episodes: episodes.map(times), isGood: deviceView(state, judging).isGood }
}

it('duration reached exactly, a reading in the band, two good readings end it', () => {
  const readings = every(300, [3, 5.6, 6.1, 6.4, 4.8, 4.4, 4.2])
  expect(judged(readings, judgingOf(TOO_WARM))).toEqual({ episodes: [[300, 900, 1_500]], isGood: true })
})

it('599 s is not 600 s; a reading equal to the limit is in range', () => {
  const readings = temperatures([0, 5], [300, 5.01], [600, 5.5], [899, 5.4], [1_199, 4.5], [1_499, 4.4])
  expect(judged(readings, judgingOf(TOO_WARM))).toEqual({ episodes: [], isGood: true })
})

it('flapping round the limit is one alert, and a relapse goes on with it', () => {
  const celsius = [
    ...[5.2, 4.8, 5.2, 4.5],
    ...[5.2, 4.8, 5.2, 4.8, 5.2, 4.8, 5.2, 4.8, 5.2, 4.8, 5.2, 4.8, 5.2],
    ...[4.4, 4.9, 4.4, 5.3, 4.4, 4.3],
  ]
  const intervalMs = [{ fromMs: Number.NEGATIVE_INFINITY, value: 60_000 }]
  const judging = judgingBy([trackOf([version(TOO_WARM)])], { intervalMs })
  expect(judged(every(60, celsius), judging)).toEqual({ episodes: [[240, 840, 1_260]], isGood: true })
})

it('a defrost of 25 minutes, with a reading in the band at 30, is no alarm', () => {
  const defrost = [-14, -12, -11, -11.5, -13, -14.6, -15.2, -16]
  const celsius = [-20, -20, ...defrost, ...repeat(-20, 64), ...defrost, ...repeat(-20, 3)]
  expect(judged(every(300, celsius), judgingOf(above(-15, 1_800)))).toEqual({ episodes: [], isGood: true })
})

it('a battery of 20 is not below 20, and is good again only 5 points above', () => {
  const readings = [21, 20, 19, 22, 24, 25, 19].map((battery, index) =>
    readingAt(index * 300, { battery, temperatureCenti: 300 }),
  )
  const judging = judgingOf(TOO_WARM, { type: 'battery_below', limit: 20 })
  expect(judged(readings, judging).episodes).toEqual([
    [600, 600, 1_500],
    [1_800, 1_800, null],
  ])
})

it('an excursion inside a backfill is found whole, and over', () => {
  const celsius = [...repeat(3, 10), 5.5, ...repeat(6, 10), 4.2, ...repeat(4, 47)]
  expect(judged(every(300, celsius), judgingOf(TOO_WARM)).episodes).toEqual([[3_000, 3_600, 6_300]])
})

it('backfill newest first: each part that comes moves the start of what runs back to the true one', () => {
  const all = every(300, [...repeat(3, 10), ...repeat(6, 57)])
  const judging = judgingOf(TOO_WARM)
  expect(judged(all.slice(41), judging).episodes).toEqual([[12_300, 12_900, null]])
  expect(judged(all.slice(18), judging).episodes).toEqual([[5_400, 6_000, null]])
  expect(judged(all, judging)).toEqual({ episodes: [[3_000, 3_600, null]], isGood: false })
})

it('WHO: 8.0 is not above 8; after 9 h 55 min a good reading begins again; then 10 h', () => {
  const celsius = [5, 8, ...repeat(8.1, 120), 8, ...repeat(8.1, 122)]
  const judging = judgingOf(above(8, 36_000, 0), below(-0.5, 3_600, 0, true))
  expect(judged(every(300, celsius), judging)).toEqual({ episodes: [[36_900, 72_900, null]], isGood: false })
})

it('2.5 degrees in 900 s', () => {
  const rising: Condition = {
    type: 'rate_of_change',
    direction: 'rising',
    deltaCenti: 250,
    windowMs: 900_000,
  }
  const readings = every(300, [2.22, 2.78, 3.61, 4.72, 5.56, 5.4, 4.4, 4.3])
  expect(judged(readings, judgingOf(above(5, 1_800), rising))).toEqual({
    episodes: [[0, 900, 1_500]],
    isGood: true,
  })
})
