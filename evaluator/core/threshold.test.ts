import { describe, expect, it } from 'vitest'
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
import { fold } from './fold.ts'
import type { Condition, ReadingInput } from './types.ts'

const WARM = judgingOf(above(5, 600))

function timesOf(readings: readonly ReadingInput[], judging = WARM) {
  return fold(readings, judging).episodes.map(times)
}

describe('times and evidence of an excursion', () => {
  it('begins with its first reading and triggers at the one that makes it long enough', () => {
    const [episode] = fold(every(300, [3, 5.6, 6.1, 6.4, 4.8, 4.4, 4.2]), WARM).episodes
    expect(episode).toEqual({
      deviceId: 1,
      ruleId: 1,
      conditionType: 'temperature_above',
      ruleVersion: 1,
      severity: 'critical',
      startedAtMs: 300_000,
      triggeredAtMs: 900_000,
      endedAtMs: 1_500_000,
      resolution: 'recovered',
      triggerCenti: 640,
      limitCenti: 500,
      peakCenti: 640,
      confirmedMs: 1_200_000,
      unknownMs: 0,
      newestIsGood: true,
    })
  })

  it('holds a reading until the next one: a single one proves no duration', () => {
    expect(timesOf(every(300, [3, 9]))).toEqual([])
    expect(timesOf(every(300, [3, 9]), judgingOf(above(5, 0)))).toEqual([[300, 300, null]])
  })

  it('goes by evaluation time: a clock that runs ahead raises nothing early', () => {
    const ahead = [0, 300, 600].map((seconds) =>
      readingAt(1_000, { recordedAtMs: (2_000 + seconds) * 1_000, temperatureCenti: 600 }),
    )
    expect(timesOf(ahead)).toEqual([])
    expect(timesOf([...ahead, ...temperatures([1_600, 6])])).toEqual([[1_000, 1_600, null]])
  })
})

describe('limits', () => {
  it('are exceeded, not reached, unless inclusive', () => {
    expect(timesOf(every(300, [5, 5, 5]))).toEqual([])
    expect(timesOf(every(300, [5, 5, 5]), judgingOf(above(5, 600, 0.5, true)))).toEqual([[0, 600, null]])
    expect(timesOf(every(300, [5.01, 5.01, 5.01]))).toEqual([[0, 600, null]])
  })

  it('below is less than', () => {
    const cold = judgingOf(below(2, 600))
    expect(timesOf(every(300, [2, 2, 2]), cold)).toEqual([])
    expect(timesOf(every(300, [1.99, 1.5, 1.99, 2.5, 2.5]), cold)).toEqual([[0, 600, 900]])
    expect(fold(every(300, [1.99, 1.5, 1.99]), cold).episodes[0]).toMatchObject({ peakCenti: 150 })
  })

  it('with hysteresis 0, an inclusive limit is beyond, and any value inside is good', () => {
    const cold = judgingOf(below(-0.5, 600, 0, true))
    expect(timesOf(every(300, [-0.5, -0.5, -0.5, -0.49, -0.49]), cold)).toEqual([[0, 600, 900]])
  })

  it('a duration is reached at equal', () => {
    expect(timesOf(temperatures([0, 6], [300, 6], [599.999, 6]))).toEqual([])
    expect(timesOf(temperatures([0, 6], [300, 6], [600, 6]))).toEqual([[0, 600, null]])
  })
})

describe('hysteresis', () => {
  it('a reading in the band keeps idle idle, also for two in a row', () => {
    expect(timesOf(every(300, [4.8, 4.8, 4.8, 4.8]))).toEqual([])
  })

  it('a reading in the band keeps what is pending, and its time counts', () => {
    expect(timesOf(every(300, [5.2, 4.8, 5.2]))).toEqual([[0, 600, null]])
  })

  it('but it never triggers', () => {
    expect(timesOf(every(300, [5.2, 5.2, 4.8, 4.8]))).toEqual([])
    expect(timesOf(every(300, [5.2, 5.2, 4.8, 4.8, 5.1]))).toEqual([[0, 1_200, null]])
  })

  it('the excursion ends at, or inside, limit less hysteresis', () => {
    expect(timesOf(every(300, [6, 6, 6, 4.51, 4.51]))).toEqual([[0, 600, null]])
    expect(timesOf(every(300, [6, 6, 6, 4.5, 4.5]))).toEqual([[0, 600, 900]])
  })
})

describe('the end', () => {
  it('one good reading ends what is pending, and its clock begins again', () => {
    expect(timesOf(every(300, [6, 6, 4.4, 6, 6]))).toEqual([])
    expect(timesOf(every(300, [6, 6, 4.4, 6, 6, 6]))).toEqual([[900, 1_500, null]])
  })

  it('two consecutive good readings end a raised one, at the first of them', () => {
    expect(timesOf(every(300, [6, 6, 6, 4.4]))).toEqual([[0, 600, null]])
    expect(timesOf(every(300, [6, 6, 6, 4.4, 4.4]))).toEqual([[0, 600, 900]])
  })

  it('out again before that, or in the band, is the same alert', () => {
    expect(timesOf(every(300, [6, 6, 6, 4.4, 6, 4.4, 4.8, 4.4]))).toEqual([[0, 600, null]])
  })

  it('the time that a good reading holds is not confirmed, that of the band is', () => {
    const [episode] = fold(every(300, [6, 6, 6, 4.4, 6, 4.8, 4.4]), WARM).episodes
    expect(episode).toMatchObject({ endedAtMs: null, confirmedMs: 1_500_000, newestIsGood: true })
  })
})

describe('unknown time', () => {
  it('a gap of up to 2 intervals is known', () => {
    expect(timesOf(temperatures([0, 6], [600, 6]))).toEqual([[0, 600, null]])
  })

  it('a longer one is unknown as a whole; the excursion goes on across it', () => {
    const readings = temperatures([0, 6], [601, 6], [1_200, 6], [1_202, 6])
    expect(timesOf(readings.slice(0, 3))).toEqual([])
    expect(fold(readings, WARM).episodes).toMatchObject([
      { startedAtMs: 0, triggeredAtMs: 1_202_000, confirmedMs: 601_000, unknownMs: 601_000 },
    ])
  })

  it('goes by the interval in force at the reading', () => {
    const intervalMs = [
      { fromMs: Number.NEGATIVE_INFINITY, value: 300_000 },
      { fromMs: 500_000, value: 600_000 },
    ]
    const judging = judgingBy([trackOf([version(above(5, 600))])], { intervalMs })
    expect(timesOf(temperatures([0, 6], [601, 6]), judging)).toEqual([[0, 601, null]])
  })

  it('a good reading before a gap does not pair with one after', () => {
    expect(timesOf(temperatures([0, 6], [300, 6], [600, 6], [900, 4], [1_501, 4]))).toEqual([[0, 600, null]])
    const ended = temperatures([0, 6], [300, 6], [600, 6], [900, 4], [1_501, 4], [1_800, 4])
    expect(fold(ended, WARM).episodes).toMatchObject([{ endedAtMs: 1_501_000, unknownMs: 601_000 }])
  })

  it('a gap over 4 h drops what is pending, one of 4 h does not', () => {
    const hours4 = 4 * 3_600
    const afterGap = (seconds: number) =>
      temperatures([0, 6], [300, 6], [300 + seconds, 6], [600 + seconds, 6])
    expect(timesOf(afterGap(hours4))).toEqual([[0, 600 + hours4, null]])
    expect(timesOf(afterGap(hours4 + 1))).toEqual([])
  })

  it('a raised alert whose device falls silent stays open', () => {
    const readings = temperatures([0, 6], [300, 6], [600, 6], [100_000, 6], [100_300, 4], [100_600, 4])
    expect(timesOf(readings)).toEqual([[0, 600, 100_300]])
  })

  it('readings without a temperature say nothing of it: they neither hold nor end anything', () => {
    const silent = readingAt(450, { fault: 'probe', battery: 80 })
    const [a, b, c] = temperatures([0, 6], [300, 6], [700, 6]) as [ReadingInput, ReadingInput, ReadingInput]
    expect(timesOf([a, b, silent, c])).toEqual([[0, 700, null]])
    expect(timesOf([a, silent, ...temperatures([701, 6])])).toEqual([])
  })
})

describe('confirm time', () => {
  it('is 600 s where the rule has none, 1,200 s while the door is open at the judged reading', () => {
    const tracks = [trackOf([version(above(5, null))])]
    const warm = every(300, [6, 6, 6, 6, 6, 6])
    expect(timesOf(warm, judgingBy(tracks))).toEqual([[0, 600, null]])
    expect(timesOf(warm, judgingBy(tracks, { isDoorOpenAt: () => true }))).toEqual([[0, 1_200, null]])
    const closes = { isDoorOpenAt: (atMs: number) => atMs < 900_000 }
    expect(timesOf(warm, judgingBy(tracks, closes))).toEqual([[0, 900, null]])
  })

  it('a rule with a time of its own does not ask for the door', () => {
    const judging = judgingBy([trackOf([version(above(5, 600))])], { isDoorOpenAt: () => true })
    expect(timesOf(every(300, [6, 6, 6]), judging)).toEqual([[0, 600, null]])
  })
})

describe('batteries', () => {
  const LOW: Condition = { type: 'battery_below', limit: 20 }
  const percents = (...values: (number | null)[]) =>
    values.map((battery, index) => readingAt(index * 300, { battery }))

  it('are raised by one reading below, and cleared 5 points above the limit by one', () => {
    expect(timesOf(percents(21, 20, 19, 22, 24, 25, 19), judgingOf(LOW))).toEqual([
      [600, 600, 1_500],
      [1_800, 1_800, null],
    ])
  })

  it('have percent x 100 as evidence, and readings without a battery say nothing', () => {
    expect(fold(percents(19.5, null, 15, null), judgingOf(LOW)).episodes).toMatchObject([
      { triggerCenti: 1_950, limitCenti: 2_000, peakCenti: 1_500, confirmedMs: 600_000, unknownMs: 0 },
    ])
  })
})
