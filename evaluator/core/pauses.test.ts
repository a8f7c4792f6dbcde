import { expect, test } from 'vitest'
import { seconds } from '../testing/words.ts'
import { allPauses, instantAfter, type Pause, unpausedMs } from './pauses.ts'

test('our downtime lasts until 120 s after it; an outage of the hub ends when it ends', () => {
  expect(allPauses([pause(100, 200)], [pause(500, 600)])).toEqual([pause(100, 320), pause(500, 600)])
  expect(allPauses([pause(100, null)], [])).toEqual([pause(100, null)])
})

test('pauses that overlap or touch are one', () => {
  expect(
    allPauses([pause(100, 200), pause(0, 10)], [pause(150, 400), pause(400, 410), pause(380, 390)]),
  ).toEqual([pause(0, 410)])
  expect(allPauses([pause(100, null)], [pause(0, 120), pause(900, 1000)])).toEqual([pause(0, null)])
})

test('time is counted outside of pauses', () => {
  const pauses = [pause(100, 200), pause(300, null)]
  expect(unpausedMs(0, seconds(50), pauses)).toBe(seconds(50))
  expect(unpausedMs(0, seconds(150), pauses)).toBe(seconds(100))
  expect(unpausedMs(seconds(150), seconds(250), pauses)).toBe(seconds(50))
  expect(unpausedMs(seconds(150), seconds(1000), pauses)).toBe(seconds(100))
  expect(unpausedMs(seconds(10), 0, pauses)).toBe(0)
})

test('the instant after so much time is the first at which it is counted', () => {
  const pauses = [pause(100, 200), pause(300, 400)]
  for (const [from, time] of [
    [0, 99],
    [0, 100],
    [0, 101],
    [0, 250],
    [150, 1],
    [350, 10],
    [500, 10],
  ] as const) {
    const atMs = instantAfter(seconds(from), seconds(time), pauses)
    expect(unpausedMs(seconds(from), atMs, pauses)).toBe(seconds(time))
    expect(unpausedMs(seconds(from), atMs - 1, pauses)).toBe(seconds(time) - 1)
  }
  expect(instantAfter(0, seconds(101), [pause(100, null)])).toBe(Infinity)
  expect(instantAfter(0, seconds(100), [pause(100, null)])).toBe(seconds(100))
})

function pause(from: number, to: number | null): Pause {
  return { fromMs: seconds(from), toMs: to === null ? null : seconds(to) }
}
