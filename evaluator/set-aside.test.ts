import { DatabaseError } from 'pg'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createEvaluatorMetrics } from './metrics.ts'
import { SetAside } from './set-aside.ts'

const REST_MS = 60_000
const DEFECT = new TypeError('a defect')
const TIMED_OUT = Object.assign(new DatabaseError('canceled', 0, 'error'), { code: '57014' })

let tried: number[]
let refusal: Error | undefined
let aside: SetAside
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
  tried = []
  refusal = undefined
  const memory = {
    units: new Map(),
    close: () => {},
    async reopen(unitId: number) {
      tried.push(unitId)
      if (refusal) throw refusal
      return undefined
    },
  }
  const metrics = createEvaluatorMetrics(new Registry())
  aside = new SetAside({ memory, metrics, onClosed: () => [], onSetAside: () => {}, onBack: () => {} })
})
afterEach(() => vi.useRealTimers())

async function triedAfter(ms: number): Promise<number[]> {
  vi.advanceTimersByTime(ms)
  await aside.reopen()
  return tried
}

test('a unit that takes too long to be read lets what is live go on for a minute, and the others be tried first', async () => {
  for (const unitId of [1, 2]) aside.setAside(unitId, DEFECT)
  refusal = TIMED_OUT
  expect(await triedAfter(1_000)).toEqual([1])
  expect(await triedAfter(REST_MS - 1)).toEqual([1])
  expect(await triedAfter(1)).toEqual([1, 2])
  refusal = undefined
  expect(await triedAfter(REST_MS)).toEqual([1, 2, 1])
  expect([aside.has(1), aside.has(2)]).toEqual([false, true])
})

test('so does one that was set aside because it took too long', async () => {
  aside.setAside(1, TIMED_OUT)
  aside.setAside(2, DEFECT)
  expect(await triedAfter(REST_MS - 1)).toEqual([])
  expect(await triedAfter(1)).toEqual([1])
})

test('one that cannot be read for another reason delays itself alone', async () => {
  for (const unitId of [1, 2]) aside.setAside(unitId, DEFECT)
  refusal = DEFECT
  expect(await triedAfter(1_000)).toEqual([1])
  expect(await triedAfter(0)).toEqual([1, 2])
  expect(await triedAfter(0)).toEqual([1, 2])
  expect(await triedAfter(2_000)).toEqual([1, 2, 1])
})
