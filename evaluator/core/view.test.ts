import { describe, expect, it } from 'vitest'
import {
  above,
  below,
  changedAt,
  every,
  judgingBy,
  judgingOf,
  readingAt,
  temperatures,
  trackOf,
  version,
} from '../testing/judging.ts'
import { newDeviceState } from './device.ts'
import { fold } from './fold.ts'
import type { ReadingInput, RuleTrack } from './types.ts'
import { deviceView } from './view.ts'

const WARM = judgingOf(
  above(5, 600),
  { type: 'battery_below', limit: 20 },
  { type: 'sensor_fault', kind: 'stuck', forMs: 600_000, minReadings: 2 },
)

const viewOf = (readings: readonly ReadingInput[], judging = WARM) =>
  deviceView(fold(readings, judging).state, judging)

describe('what is seen of a device', () => {
  it('before its first reading', () => {
    expect(deviceView(newDeviceState(), WARM)).toEqual({
      newestAtMs: null,
      temperatureCenti: null,
      isGood: false,
      isPending: false,
      isRaisedAlarm: false,
      goodInARow: 0,
    })
  })

  it('good readings in a row, up to two', () => {
    expect(viewOf(every(300, [3]))).toMatchObject({
      isGood: true,
      goodInARow: 1,
      newestAtMs: 0,
      temperatureCenti: 300,
    })
    expect(viewOf(every(300, [3, 3.1]))).toMatchObject({ isGood: true, goodInARow: 2 })
    expect(viewOf(every(300, [3, 3.1, 3.2]))).toMatchObject({ goodInARow: 2 })
  })

  it('beyond the limits of the unit is not good in a row, also where a rule allows more', () => {
    const unit = { ...WARM.unit, tempMaxCenti: 400 }
    expect(viewOf(every(300, [3, 3, 4.1]), { ...WARM, unit })).toMatchObject({ isGood: true, goodInARow: 0 })
    expect(viewOf(every(300, [3, 4.1, 4]), { ...WARM, unit })).toMatchObject({ goodInARow: 1 })
  })

  it('a good reading before a gap does not pair with one after', () => {
    expect(viewOf(temperatures([0, 3], [300, 3.1], [901, 3.2]))).toMatchObject({
      isGood: true,
      goodInARow: 1,
    })
  })

  it('pending, raised, and good again before the alert has ended', () => {
    expect(viewOf(every(300, [3, 6]))).toMatchObject({ isGood: false, isPending: true, goodInARow: 0 })
    const raised = { isGood: false, isPending: false, isRaisedAlarm: true, goodInARow: 0 }
    expect(viewOf(every(300, [3, 6, 6, 6]))).toMatchObject(raised)
    expect(viewOf(every(300, [3, 6, 6, 6, 4]))).toMatchObject({
      isGood: true,
      isRaisedAlarm: true,
      goodInARow: 1,
    })
    expect(viewOf(every(300, [3, 6, 6, 6, 4, 4]))).toMatchObject({
      isGood: true,
      isRaisedAlarm: false,
      goodInARow: 2,
    })
  })

  it('in the band it is as good as it was', () => {
    expect(viewOf(every(300, [4.8, 4.9]))).toMatchObject({ isGood: true, goodInARow: 2 })
    expect(viewOf(every(300, [6, 4.9]))).toMatchObject({ isGood: false, isPending: true, goodInARow: 0 })
  })

  it('batteries and faults of sensors are not its temperature', () => {
    const bad = [
      readingAt(0, { temperatureCenti: 300, battery: 3 }),
      readingAt(300, { temperatureCenti: 300, battery: 3 }),
    ]
    expect(viewOf([...bad, ...temperatures([600, 3])])).toMatchObject({
      isGood: true,
      isPending: false,
      isRaisedAlarm: false,
    })
  })

  it('a reading without a temperature is the newest, and leaves the rest as it was', () => {
    const view = viewOf([...every(300, [3, 3.1]), readingAt(600, { fault: 'open' })])
    expect(view).toMatchObject({ newestAtMs: 600_000, temperatureCenti: 310, isGood: true, goodInARow: 2 })
  })

  it('a rule that applies no longer does not make it bad, one that has begun since does', () => {
    const over = judgingBy([trackOf([version(above(5, 600), { toMs: 200_000 })])])
    expect(viewOf(every(300, [6, 6]), over)).toMatchObject({ isGood: true, isPending: false, goodInARow: 1 })
    const overSince = judgingBy([trackOf([version(above(5, 600), { toMs: 400_000 })])])
    expect(viewOf(every(300, [6, 6]), overSince)).toMatchObject({
      isGood: true,
      isPending: false,
      goodInARow: 1,
    })
    const begun = judgingBy([trackOf([version(above(5, 600), { fromMs: 400_000 })])])
    expect(viewOf(every(300, [6, 6]), begun)).toMatchObject({ isGood: false, isPending: true, goodInARow: 0 })
  })

  describe('by a state of other rules, until its readings are judged by these', () => {
    const warm = trackOf([version(above(5, 600))], 1)
    const cold = trackOf([version(below(0, 600))], 2)
    const hot = trackOf([version(above(40, 600))], 3)
    const seenBy = (celsius: readonly number[], before: RuleTrack[], after: RuleTrack[]) =>
      deviceView(fold(every(300, celsius), judgingBy(before)).state, judgingBy(after))

    it('each rule that is still there says what it said', () => {
      const pending = { isGood: false, isPending: true, goodInARow: 0 }
      expect(seenBy([6, 6], [warm, cold], [hot, cold, warm])).toMatchObject(pending)
      expect(seenBy([-1, -1, -1], [warm, cold], [cold])).toMatchObject({ isGood: false, isRaisedAlarm: true })
      expect(seenBy([6, 6], [warm, cold], [cold])).toMatchObject({
        isGood: true,
        isPending: false,
        goodInARow: 1,
      })
    })

    it('by one that is new the unit is not in order yet, nor out', () => {
      const unknown = { isGood: true, isPending: false, isRaisedAlarm: false, goodInARow: 1 }
      expect(seenBy([3, 3], [warm], [warm, cold])).toMatchObject(unknown)
      expect(seenBy([3, 3], [warm], [cold, warm])).toMatchObject(unknown)
    })
  })

  it('an alert that goes on under a rule changed since is as bad as it was', () => {
    const versions = [version(above(5, 600), { toMs: 700_000 }), changedAt(700, above(5, 900))]
    const raised = viewOf(every(300, [6, 6, 6]), judgingBy([trackOf(versions)]))
    expect(raised).toMatchObject({ isGood: false, isRaisedAlarm: true })
  })
})
