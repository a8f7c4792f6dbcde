import { expect, test } from 'vitest'
import type { Draft } from '../hub/message.ts'
import { reading, START_MS } from '../testing/messages.ts'
import { randomSeed, ratesWith } from '../testing/rates.ts'
import type { FaultRates } from '../types.ts'
import { noFaults } from './fault-counts.ts'
import { MessageFaults } from './message-faults.ts'

const ROUNDS = 2_000
const seed = randomSeed()
const draft: Draft = {
  channel: 'readings',
  items: Array.from({ length: 10 }, (_, n) => reading(START_MS + n)),
}

function faultsOf(rates: Partial<FaultRates>, options: { seed?: number; publisher?: string } = {}) {
  const counts = noFaults()
  const faults = new MessageFaults({ seed, publisher: 'hub-1', ...options, rates: ratesWith(rates), counts })
  return { faults, counts }
}

test('without rates nothing happens', () => {
  const { faults, counts } = faultsOf({})
  for (let round = 0; round < 100; round++) {
    expect(faults.loses()).toBe(false)
    expect(faults.spoil(draft)).toEqual({ garbage: undefined, draft })
  }
  expect(counts).toEqual(noFaults())
})

test(`missing: as many readings as its rate says are never sent (seed ${seed})`, () => {
  const { faults, counts } = faultsOf({ missing: 0.2 })
  const lost = Array.from({ length: ROUNDS }, () => faults.loses()).filter(Boolean).length
  expect(counts.missing).toBe(lost)
  expect(lost).toBeGreaterThan(ROUNDS * 0.15)
  expect(lost).toBeLessThan(ROUNDS * 0.25)
})

test(`malformed: garbage before the message, or one bad item in it; the good ones stay (seed ${seed})`, () => {
  const { faults, counts } = faultsOf({ malformed: 0.2 })
  const seen = { garbage: 0, bad: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const spoiled = faults.spoil(draft)
    expect(spoiled.draft.items).toEqual(draft.items)
    expect(spoiled.garbage !== undefined && spoiled.draft.bad !== undefined).toBe(false)
    if (spoiled.garbage) seen.garbage += 1
    if (spoiled.draft.bad) seen.bad += 1
  }
  expect(seen.garbage + seen.bad).toBe(counts.malformed)
  expect(Math.min(seen.garbage, seen.bad)).toBeGreaterThan(ROUNDS * 0.07)
  expect(Math.max(seen.garbage, seen.bad)).toBeLessThan(ROUNDS * 0.13)
})

test(`out of order: half of its rate mixes the readings of a message (seed ${seed})`, () => {
  const { faults, counts } = faultsOf({ out_of_order: 0.4 })
  let mixed = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { items } = faults.spoil(draft).draft
    const times = items.map(({ at }) => at)
    expect([...times].sort()).toEqual(draft.items.map(({ at }) => at))
    if (times.some((at, index) => at !== draft.items[index]?.at)) mixed += 1
  }
  expect(mixed).toBe(counts.out_of_order)
  expect(mixed).toBeGreaterThan(ROUNDS * 0.15)
  expect(mixed).toBeLessThan(ROUNDS * 0.25)
})

test('each publisher and each seed has its own faults, the same every time', () => {
  const pattern = (options: { seed?: number; publisher?: string }) => {
    const { faults } = faultsOf({ missing: 0.5 }, options)
    return Array.from({ length: 64 }, () => (faults.loses() ? 'x' : '.')).join('')
  }
  expect(pattern({})).toBe(pattern({}))
  expect(pattern({ publisher: 'hub-2' })).not.toBe(pattern({}))
  expect(pattern({ seed: seed + 1 })).not.toBe(pattern({}))
})

test("a fault's rate does not change the others'", () => {
  const losses = (rates: Partial<FaultRates>) => {
    const { faults } = faultsOf({ missing: 0.5, ...rates })
    return Array.from({ length: 64 }, () => {
      faults.spoil(draft)
      return faults.loses()
    })
  }
  expect(losses({ malformed: 0.5, out_of_order: 1 })).toEqual(losses({}))
})
