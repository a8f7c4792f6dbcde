import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Tries } from './tries.ts'

const STATEMENT_MS = 30_000
const TURN_MS = 1_000
const TIMED_OUT = { isTimeout: true }

interface Thing {
  name: string
  isSlow: boolean
  tries: number
}

let tries: Tries<Thing>
let slow: Thing
let other: Thing
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.advanceTimersByTime(1)
  tries = new Tries()
  slow = { name: 'slow', isSlow: true, tries: 0 }
  other = { name: 'other', isSlow: true, tries: 0 }
})
afterEach(() => vi.useRealTimers())

const later = (ms: number) => vi.advanceTimersByTime(ms)

/** Tries all that is due, in its order. */
function turn(things: readonly Thing[]): void {
  for (const thing of tries.inOrder(things, (one) => [one])) {
    if (!tries.isDue(thing)) continue
    thing.tries += 1
    if (thing.isSlow) later(STATEMENT_MS)
    if (thing.isSlow) tries.failed(thing, TIMED_OUT)
    else tries.succeeded(thing)
  }
}

test('one that takes too long puts the others off, those that have never failed for a moment', () => {
  turn([slow, other])
  expect([slow.tries, other.tries]).toEqual([1, 0])
  later(1_000)
  expect(tries.isDue(other)).toBe(false)
  later(1_000)
  expect(tries.isDue(other)).toBe(true)
  expect(tries.isDue(slow)).toBe(false)
})

test('while all take too long, they are tried ever less often; what succeeds ends that', () => {
  const isDueAfter = (ms: number) => {
    later(ms - 1)
    const before = tries.isDue({ name: 'new', isSlow: false, tries: 0 })
    later(1)
    return !before && tries.isDue({ name: 'new', isSlow: false, tries: 0 })
  }
  for (const ms of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    tries.failed(slow, TIMED_OUT)
    expect(isDueAfter(ms), `${ms}`).toBe(true)
  }
  tries.succeeded(other)
  tries.failed(slow, TIMED_OUT)
  expect(isDueAfter(2_000)).toBe(true)
})

test('what fails at once puts nobody off but itself', () => {
  tries.failed(slow, { isTimeout: false })
  expect([tries.isDue(slow), tries.isDue(other)]).toEqual([false, true])
})

test('nobody waits for ever behind others that take too long, also of those that have', () => {
  const things = ['a', 'b', 'c', 'd'].map((name) => ({ name, isSlow: true, tries: 0 }))
  for (let turns = 0; turns < 600; turns += 1) {
    turn(things)
    later(TURN_MS)
  }
  const counts = things.map((thing) => thing.tries)
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
  expect(Math.min(...counts)).toBeGreaterThan(1)
  expect(tries.next(things, (one) => [one])).toBe(undefined)
  later(60_000)
  const [oldest] = tries.inOrder(things, (one) => [one])
  expect(tries.next(things, (one) => [one])).toBe(oldest)
  expect(tries.next([...things, other], (one) => [one])).toBe(other)
})

test('what was put off for want of time comes before what is new, and behind the others once it has had its turn', () => {
  const things = ['a', 'b', 'c'].map((name) => ({ name, isSlow: false, tries: 0 }))
  const [a, b, c] = things as [Thing, Thing, Thing]
  const namesInOrder = () => tries.inOrder(things, (one) => [one]).map(({ name }) => name)
  expect(namesInOrder()).toEqual(['a', 'b', 'c'])
  tries.putOff(c)
  later(1)
  tries.putOff(b)
  later(1)
  tries.putOff(c)
  expect(namesInOrder()).toEqual(['c', 'b', 'a'])
  expect(tries.next(things, (one) => [one])).toBe(c)
  tries.served(c)
  expect(namesInOrder()).toEqual(['b', 'a', 'c'])
  tries.failed(b, { isTimeout: false })
  tries.succeeded(a)
  later(60_000)
  expect(namesInOrder()).toEqual(['a', 'c', 'b'])
})

test('what has failed lets what is new pass for a while, not for ever', () => {
  const fresh = () => ({ name: 'fresh', isSlow: false, tries: 0 })
  const first = () => tries.next([fresh(), slow], (one) => [one])?.name
  tries.failed(slow, { isTimeout: false })
  later(659_000)
  expect(first()).toBe('fresh')
  later(1_001)
  expect(first()).toBe('slow')
})

test('a holder of several things has the place of the best of them', () => {
  const fine = { ...other, name: 'fine' }
  const [busy, mixed] = [{ things: [other] }, { things: [slow, fine] }]
  const inOrder = () => tries.inOrder([busy, mixed], ({ things }) => things)
  tries.failed(slow, { isTimeout: false })
  later(60_000)
  tries.putOff(mixed)
  later(1)
  tries.putOff(busy)
  expect(inOrder()).toEqual([mixed, busy])
})

test('one that has failed is tried again, though each minute another one takes too long for the first time', () => {
  tries.failed(slow, TIMED_OUT)
  const startedAtMs = performance.now()
  while (!tries.isDue(slow) && performance.now() - startedAtMs < 3_600_000) {
    later(TURN_MS)
    // And what is live succeeds.
    if (Math.round(performance.now() / TURN_MS) % 50 === 0) {
      tries.failed({ ...other }, TIMED_OUT)
      tries.succeeded(other)
    }
  }
  expect(performance.now() - startedAtMs).toBeLessThan(720_000)
})

test('many that take too long each time are tried once a minute, however long they have waited, and keep nothing new waiting', () => {
  const things = Array.from({ length: 100 }, () => ({ ...slow }))
  for (const thing of things) tries.failed(thing, TIMED_OUT)
  later(1_000_000)
  const live = { ...other, isSlow: false }
  const startedAtMs = performance.now()
  while (performance.now() - startedAtMs < 3_600_000) {
    turn([...things, live])
    later(TURN_MS)
  }
  const tried = things.reduce((sum, thing) => sum + thing.tries, 0)
  expect(tried).toBeGreaterThan(30)
  expect((tried * STATEMENT_MS) / (performance.now() - startedAtMs)).toBeLessThan(0.35)
  expect(live.tries).toBeGreaterThan(1_000)
})

test('what has waited for long enough has the rest of what is new all the same', () => {
  tries.failed(slow, TIMED_OUT)
  later(700_000)
  expect(tries.isDue(slow)).toBe(true)
  tries.failed(other, TIMED_OUT)
  later(3_999)
  expect(tries.isDue(slow)).toBe(false)
  later(1)
  expect(tries.isDue(slow)).toBe(true)
})
