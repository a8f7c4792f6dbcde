import { describe, expect, it } from 'vitest'
import { every, judgingOf, readingAt, temperatures, times } from '../testing/judging.ts'
import { fold } from './fold.ts'
import type { Condition, ReadingInput } from './types.ts'

function timesBy(condition: Condition, readings: readonly ReadingInput[]) {
  return fold(readings, judgingOf(condition)).episodes.map(times)
}

describe('stuck', () => {
  const STUCK: Condition = { type: 'sensor_fault', kind: 'stuck', forMs: 1_200_000, minReadings: 6 }

  it('is the same 0.01 °C for so long, over so many readings', () => {
    expect(timesBy(STUCK, every(300, [3, 3, 3, 3, 3]))).toEqual([])
    expect(timesBy(STUCK, every(300, [3, 3, 3, 3, 3, 3]))).toEqual([[0, 1_500, null]])
    expect(timesBy(STUCK, every(100, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]))).toEqual([[0, 1_200, null]])
    expect(timesBy(STUCK, every(300, [3, 3, 3, 3.01, 3, 3, 3, 3]))).toEqual([])
  })

  it('is ended by a different value, at which the next run begins', () => {
    expect(timesBy(STUCK, every(300, [3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4]))).toEqual([
      [0, 1_500, 1_800],
      [1_800, 3_300, null],
    ])
  })

  it('lasts for known time only', () => {
    const readings = temperatures(
      [0, 3],
      [300, 3],
      [1_500, 3],
      [1_800, 3],
      [2_100, 3],
      [2_400, 3],
      [2_700, 3],
    )
    expect(fold(readings, judgingOf(STUCK)).episodes).toMatchObject([
      {
        startedAtMs: 0,
        triggeredAtMs: 2_400_000,
        confirmedMs: 1_500_000,
        unknownMs: 1_200_000,
        triggerCenti: 300,
      },
    ])
  })

  it('a gap of over 4 h drops what is pending', () => {
    const late = 300 + 4 * 3_600 + 1
    const after = every(300, [3, 3, 3, 3, 3, 3], late)
    expect(timesBy(STUCK, [...every(300, [3, 3]), ...after])).toEqual([[late, late + 1_500, null]])
  })

  it('the time until the different value counts', () => {
    expect(fold(every(300, [3, 3, 3, 3, 3, 3, 4]), judgingOf(STUCK)).episodes).toMatchObject([
      { confirmedMs: 1_800_000, resolution: 'recovered' },
    ])
  })
})

describe('jump', () => {
  const JUMP: Condition = { type: 'sensor_fault', kind: 'jump', maxStepCenti: 1_000 }

  it('is a step over the limit, up or down', () => {
    expect(timesBy(JUMP, every(300, [3, 13]))).toEqual([])
    expect(timesBy(JUMP, every(300, [3, 13.01]))).toEqual([[300, 300, null]])
    expect(timesBy(JUMP, every(300, [3, -7.01]))).toEqual([[300, 300, null]])
  })

  it('is ended by two normal steps, at the first of them', () => {
    expect(timesBy(JUMP, every(300, [3, 20, 20]))).toEqual([[300, 300, null]])
    expect(timesBy(JUMP, every(300, [3, 20, 20, 20]))).toEqual([[300, 300, 600]])
    expect(timesBy(JUMP, every(300, [3, 20, 20, 3, 3]))).toEqual([[300, 300, null]])
  })

  it('is seen between gap-free readings only: across a gap there is no step, normal or not', () => {
    expect(timesBy(JUMP, temperatures([0, 3], [601, 20]))).toEqual([])
    const gap = temperatures([0, 3], [300, 20], [600, 20], [1_201, 20], [1_500, 20])
    expect(timesBy(JUMP, gap)).toEqual([[300, 300, null]])
    expect(timesBy(JUMP, [...gap, ...temperatures([1_800, 20])])).toEqual([[300, 300, 1_500]])
  })

  it('has the sizes of the steps as evidence', () => {
    expect(fold(every(300, [3, 20, -5]), judgingOf(JUMP)).episodes).toMatchObject([
      { triggerCenti: 1_700, limitCenti: 1_000, peakCenti: 2_500 },
    ])
  })
})

describe('reported by the sensor', () => {
  const REPORTED: Condition = { type: 'sensor_fault', kind: 'fault', forMs: 600_000 }
  const faults = (...values: (string | null)[]) =>
    values.map((fault, index) => readingAt(index * 300, { fault }))

  it('is raised when it lasts, and ended by two readings without', () => {
    expect(timesBy(REPORTED, faults('open', 'open', null, 'open', 'short'))).toEqual([])
    expect(timesBy(REPORTED, faults('open', 'open', 'short'))).toEqual([[0, 600, null]])
    expect(timesBy(REPORTED, faults('open', 'open', 'open', null, 'open', null, null))).toEqual([
      [0, 600, 1_500],
    ])
  })
})
