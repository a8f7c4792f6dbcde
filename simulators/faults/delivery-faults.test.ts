import { describe, expect, test } from 'vitest'
import { message, START_MS } from '../testing/messages.ts'
import { randomSeed, ratesWith } from '../testing/rates.ts'
import type { FaultRates } from '../types.ts'
import { DeliveryFaults } from './delivery-faults.ts'
import { noFaults } from './fault-counts.ts'

const MINUTE_MS = 60_000
const seed = randomSeed()

function faultsOf(rates: Partial<FaultRates>, heldMax = 1_000) {
  const counts = noFaults()
  const faults = new DeliveryFaults({ seed, publisher: 'hub-1', rates: ratesWith(rates), counts, heldMax })
  return { faults, counts }
}

const numbered = (number: number) => message({ topic: String(number) })
const names = (messages: readonly { topic: string }[]) => messages.map(({ topic }) => Number(topic))

test('without rates every message passes at once', () => {
  const { faults } = faultsOf({})
  const one = numbered(1)
  expect(faults.pass(one, START_MS)).toEqual([one])
  expect(faults.repeats(one)).toBe(false)
  expect(faults.held).toBe(0)
})

describe('late', () => {
  test(`is held back for minutes, then released (seed ${seed})`, () => {
    const { faults, counts } = faultsOf({ late: 1 })
    for (let number = 0; number < 100; number++) expect(faults.pass(numbered(number), START_MS)).toEqual([])
    expect(faults.held).toBe(100)
    expect(faults.due(START_MS + 29_000)).toEqual([])
    const early = faults.due(START_MS + 2 * MINUTE_MS)
    expect(early.length).toBeGreaterThan(5)
    expect(early.length).toBeLessThan(95)
    const rest = faults.due(START_MS + 5 * MINUTE_MS)
    expect(names([...early, ...rest]).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n))
    expect(faults.held).toBe(0)
    expect(counts.late).toBe(100)
  })

  test('no more are held than there is room for', () => {
    const { faults } = faultsOf({ late: 1 }, 2)
    const passed = [1, 2, 3, 4].map((number) => faults.pass(numbered(number), START_MS).length)
    expect(passed).toEqual([0, 0, 1, 1])
  })
})

test(`out of order: half of its rate lets a message change places with the next one (seed ${seed})`, () => {
  const { faults, counts } = faultsOf({ out_of_order: 0.5 })
  const order: number[] = []
  for (let number = 0; number < 1_000; number++) order.push(...names(faults.pass(numbered(number), START_MS)))
  order.push(...names(faults.releaseAll()))
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1_000 }, (_, n) => n))
  const swapped = order.filter((number, index) => number > (order[index + 1] ?? Number.POSITIVE_INFINITY))
  // The last one may have had nobody to change places with.
  expect(counts.out_of_order - swapped.length).toBeLessThanOrEqual(1)
  expect(swapped.length).toBeGreaterThan(120)
  expect(swapped.length).toBeLessThan(280)
})

test('everything that is held can be released', () => {
  const { faults } = faultsOf({ late: 0.5, out_of_order: 1 })
  const passed = Array.from({ length: 50 }, (_, n) => names(faults.pass(numbered(n), START_MS))).flat()
  const held = faults.held
  expect(names(faults.releaseAll())).toHaveLength(held)
  expect(passed.length + held).toBe(50)
  expect(faults.held).toBe(0)
})

test(`duplicate: so many are sent again, and a duplicate never (seed ${seed})`, () => {
  const { faults, counts } = faultsOf({ duplicate: 0.3 })
  const repeated = Array.from({ length: 1_000 }, (_, n) => faults.repeats(numbered(n))).filter(Boolean).length
  expect(repeated).toBe(counts.duplicate)
  expect(repeated).toBeGreaterThan(230)
  expect(repeated).toBeLessThan(370)
  const always = faultsOf({ duplicate: 1 }).faults
  expect(always.repeats(message({ isRepeat: true }))).toBe(false)
  expect(always.repeats(message())).toBe(true)
})
