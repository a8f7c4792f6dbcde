import { expect, test } from 'vitest'
import { HangWatch } from './hang-watch.ts'

const LIMITS = { lookMs: 500, hungAfterMs: 60_000, loadMsMax: 300_000 }

/** Looks at a thread for so long; returns after how long it was found to have hung. */
function lookAt(watch: HangWatch, forMs: number, beatsAt: (ms: number) => number): number | undefined {
  for (let ms = LIMITS.lookMs; ms <= forMs; ms += LIMITS.lookMs) if (watch.look(beatsAt(ms))) return ms
  return undefined
}

test('a thread that does not beat any more has hung after a while, and it is said before', () => {
  const watch = new HangWatch(LIMITS)
  expect(lookAt(watch, 10_000, (ms) => ms)).toBe(undefined)
  expect(lookAt(watch, 10_500, () => 10_000)).toBe(undefined)
  expect(watch.notices()).toEqual([expect.stringMatching(/not answered for 11 s\. After 60 s it is ended/)])
  expect(lookAt(watch, 60_000, () => 10_000)).toBe(49_500)
})

test('one that loads for long has not, nor is anything said of a minute; one that never has loaded has', () => {
  const watch = new HangWatch(LIMITS)
  expect(lookAt(watch, 60_000, () => 0)).toBe(undefined)
  expect(watch.notices()).toEqual([])
  expect(lookAt(watch, 60_000, () => 0)).toBe(undefined)
  expect(watch.notices()).toEqual([expect.stringMatching(/loading for 120 s\. After 300 s it is ended/)])
  expect(lookAt(watch, 10_000, (ms) => ms)).toBe(undefined)
  expect(watch.notices()).toEqual([])
  expect(lookAt(new HangWatch(LIMITS), 600_000, () => 0)).toBe(300_000)
})
