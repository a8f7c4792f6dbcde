import { describe, expect, it } from 'vitest'
import {
  above,
  below,
  changedAt,
  every,
  judgingBy,
  readingAt,
  times,
  trackOf,
  version,
} from '../testing/judging.ts'
import { isInOrder, isStateOf, newDeviceState, step } from './device.ts'
import { fold } from './fold.ts'
import type { Condition, ReadingInput, RuleVersion } from './types.ts'

const ms = (seconds: number) => seconds * 1_000

function episodesBy(versions: RuleVersion[], readings: readonly ReadingInput[]) {
  return fold(readings, judgingBy([trackOf(versions)])).episodes
}

describe('a changed rule', () => {
  const stricter = [version(above(8, 600), { toMs: ms(1_000) }), changedAt(1_000, above(5, 600))]

  it('sees the past, but triggers only from the change on', () => {
    expect(episodesBy(stricter, every(300, [6, 6, 6, 6])).map(times)).toEqual([])
    expect(episodesBy(stricter, every(300, [6, 6, 6, 6, 6]))).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: ms(1_200), ruleVersion: 2, limitCenti: 500, confirmedMs: ms(1_200) },
    ])
  })

  it('a reading at the very time of the change is judged by the new one', () => {
    const at600 = [version(above(8, 600), { toMs: ms(600) }), changedAt(600, above(5, 600))]
    expect(episodesBy(at600, every(300, [6, 6, 6]))).toMatchObject([
      { triggeredAtMs: ms(600), ruleVersion: 2 },
    ])
  })

  it('goes on with the alert of the old one if its own state is not idle, with start, trigger and evidence', () => {
    const milder = [
      version(above(5, 600), { toMs: ms(1_000), severity: 'warning' }),
      changedAt(1_000, above(5.5, 1_800)),
    ]
    const running = episodesBy(milder, every(300, [5.2, 7, 6, 6, 6]))
    expect(running).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: ms(600), ruleVersion: 1, severity: 'warning', limitCenti: 500 },
    ])
    expect(running).toMatchObject([{ endedAtMs: null, peakCenti: 700, confirmedMs: ms(1_200) }])
    expect(episodesBy(milder, every(300, [5.2, 7, 6, 6, 6, 4.9, 4.9]))).toMatchObject([
      { endedAtMs: ms(1_500), resolution: 'recovered' },
    ])
  })

  it('else the alert ends at the change, as rule_changed, also where no reading follows', () => {
    const milder = [version(above(5, 600), { toMs: ms(1_000) }), changedAt(1_000, above(8, 600))]
    const ended = { startedAtMs: 0, endedAtMs: ms(1_000), resolution: 'rule_changed', confirmedMs: ms(900) }
    expect(episodesBy(milder, every(300, [6, 6, 6, 6]))).toMatchObject([ended])
    expect(episodesBy(milder, every(300, [6, 6, 6, 6, 6, 4, 4]))).toMatchObject([ended])
  })

  it('a state of before refuses readings from before the change: it has been left behind', () => {
    const judging = judgingBy([trackOf(stricter)])
    const { state } = fold(every(300, [6, 6]), judging)
    expect(isInOrder(state, readingAt(999, { temperatureCenti: 600 }))).toBe(false)
    expect(isInOrder(state, readingAt(1_000, { temperatureCenti: 600 }))).toBe(true)
    expect(step(state, readingAt(1_000, { temperatureCenti: 600 }), judging)).toEqual([])
  })

  it('of windows, batteries and faults sees the past too', () => {
    const conditions: [Condition, Condition, ReadingInput[]][] = [
      [
        { type: 'temperature_n_of_m', direction: 'above', limitCenti: 900, n: 3, m: 5 },
        { type: 'temperature_n_of_m', direction: 'above', limitCenti: 500, n: 3, m: 5 },
        every(300, [6, 6, 6, 6, 6]),
      ],
      [
        { type: 'battery_below', limit: 10 },
        { type: 'battery_below', limit: 20 },
        [0, 300, 600, 900, 1_200].map((seconds) => readingAt(seconds, { battery: 15 })),
      ],
      [
        { type: 'sensor_fault', kind: 'jump', maxStepCenti: 500 },
        { type: 'sensor_fault', kind: 'stuck', forMs: ms(600), minReadings: 2 },
        every(300, [6, 6, 6, 6, 6]),
      ],
    ]
    for (const [before, since, readings] of conditions) {
      const versions = [version(before, { toMs: ms(1_000) }), changedAt(1_000, since)]
      expect(episodesBy(versions, readings).map(times)).toEqual([[0, 1_200, null]])
    }
  })
})

describe('the first version of a rule', () => {
  it('is triggered by readings that were received after it was made, whenever they were recorded', () => {
    const versions = [version(above(5, 600), { triggers: { by: 'received', fromMs: ms(10_000) } })]
    const readings = every(300, [6, 6, 6, 6])
    expect(episodesBy(versions, readings)).toEqual([])
    const last = readingAt(1_200, { temperatureCenti: 600, receivedAtMs: ms(10_000) })
    expect(episodesBy(versions, [...readings, last]).map(times)).toEqual([[0, 1_200, null]])
  })
})

describe('a rule that no longer applies', () => {
  it('ends its alert as rule_changed, and raises nothing after', () => {
    const versions = [version(above(5, 600), { toMs: ms(1_000) })]
    expect(episodesBy(versions, every(300, [6, 6, 6, 6, 6, 6, 6, 6]))).toMatchObject([
      { startedAtMs: 0, endedAtMs: ms(1_000), resolution: 'rule_changed' },
    ])
  })

  it('does not trigger in a hole, but sees it when it applies again', () => {
    const versions = [version(above(5, 600), { toMs: ms(1_000) }), changedAt(2_000, above(5, 600))]
    expect(episodesBy(versions, every(300, [6, 6, 6, 6, 6, 6, 6, 6])).map(times)).toEqual([
      [0, 600, 1_000],
      [0, 2_100, null],
    ])
  })
})

describe('several boundaries between two readings', () => {
  it('the alert goes through those that follow each other', () => {
    const versions = [
      version(above(5, 600), { toMs: ms(700) }),
      changedAt(700, above(4, 600), { toMs: ms(800) }),
      changedAt(800, above(5, 300), { version: 3 }),
    ]
    expect(episodesBy(versions, every(300, [6, 6, 6, 6])).map(times)).toEqual([[0, 600, null]])
    versions[1] = changedAt(700, above(9, 600), { toMs: ms(800) })
    expect(episodesBy(versions, every(300, [6, 6, 6, 6])).map(times)).toEqual([
      [0, 600, 700],
      [0, 900, null],
    ])
  })
})

describe('a state', () => {
  it('tells that it is of other rules', () => {
    const judging = judgingBy([trackOf([version(above(5, 600))]), trackOf([version(below(2, 600))], 2)])
    const { state } = fold(every(300, [3]), judging)
    const [warm, cold] = judging.unit.tracks
    expect(isStateOf(newDeviceState(), judging.unit)).toBe(true)
    expect(isStateOf(state, judging.unit)).toBe(true)
    expect(isStateOf(state, { ...judging.unit, tracks: warm ? [warm] : [] })).toBe(false)
    expect(isStateOf(state, { ...judging.unit, tracks: warm && cold ? [cold, warm] : [] })).toBe(false)
    const changed = trackOf([version(above(5, 600), { toMs: ms(900) }), changedAt(900, above(6, 600))])
    expect(isStateOf(state, { ...judging.unit, tracks: cold ? [changed, cold] : [] })).toBe(false)
  })
})
