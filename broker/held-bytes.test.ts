import { expect, test } from 'vitest'
import { type Admission, HeldBytes } from './held-bytes.ts'
import { randomSeed, seeded } from './testing.ts'

const FRAME_BYTES = 1_000

function openHeld(bytesMax: number) {
  const waits: string[] = []
  return { held: new HeldBytes({ bytesMax, onWait: (username) => waits.push(username) }), waits }
}

/** Begins messages until it must wait; says what each of them holds. */
function fill(admission: Admission): number[] {
  const costs: number[] = []
  while (admission.begin(FRAME_BYTES)) costs.push(admission.arrive(FRAME_BYTES))
  return costs
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
}

test('one that floods gets a ninth of four fifths, and the next as much of the rest', () => {
  const { held, waits } = openHeld(10_000_000)
  const first = held.join('first', () => {})
  fill(first)
  expect(held.bytes / 10_000_000).toBeCloseTo(0.8 / 9, 2)
  const second = held.join('second', () => {})
  fill(second)
  expect(second.share.bytes / 10_000_000).toBeCloseTo((0.8 * 8) / 81, 2)
  expect(waits).toEqual(['first', 'second'])
  expect([first.isWaiting, second.isWaiting]).toEqual([true, true])
})

test('however many flood, one that holds nothing finds room; in the end nobody does', () => {
  const { held } = openHeld(10_000_000)
  for (let count = 0; count < 50; count++) fill(held.join(`hub-${count}`, () => {}))
  expect(held.bytes / 10_000_000).toBeCloseTo(0.8, 1)
  let small = 0
  while (held.join(`small-${small}`, () => {}).begin(FRAME_BYTES)) small++
  expect(small).toBeGreaterThan(200)
  expect(held.bytes / 10_000_000).toBeCloseTo(1, 2)
})

test('those that drain a backlog hold half of it at most, also those that hold nothing', () => {
  const { held } = openHeld(10_000_000)
  const large = 200_000
  const draining = Array.from({ length: 100 }, (_, index) => held.join(`draining-${index}`, () => {}))
  for (const admission of draining) admission.noteBacklog(true)
  const begun = draining.filter((admission) => admission.begin(large))
  expect(begun.length).toBeGreaterThan(1)
  expect(held.bytes).toBeGreaterThan(5_000_000)
  expect(held.bytes).toBeLessThan(6_000_000)
  const live = held.join('live', () => {})
  expect(fill(live).length).toBeGreaterThan(40)
})

test('what a hub holds counts as backlog from when it is known to drain one until it is known not to', () => {
  const { held } = openHeld(10_000_000)
  const [first, second] = ['first', 'second'].map((name) => held.join(name, () => {}))
  first?.begin(1_500_000)
  expect(first?.arrive(1_500_000)).toBeGreaterThan(5_000_000)
  first?.noteBacklog(true)
  second?.noteBacklog(true)
  expect(second?.begin(1)).toBe(false)
  first?.noteBacklog(false)
  expect(second?.begin(1)).toBe(true)
})

test('all connections of a username have one share', () => {
  const { held } = openHeld(10_000_000)
  for (let count = 0; count < 50; count++) fill(held.join('flood', () => {}))
  expect(held.bytes / 10_000_000).toBeCloseTo(0.8 / 9, 2)
})

test('a message larger than the whole limit comes through when nothing else is held', () => {
  const { held } = openHeld(65_536)
  const admission = held.join('large', () => {})
  expect(admission.begin(200_000)).toBe(true)
  const cost = admission.arrive(200_000)
  expect(admission.begin(200_000)).toBe(false)
  expect(held.join('other', () => {}).begin(1)).toBe(false)
  admission.giveBack(cost)
  expect(held.bytes).toBe(0)
})

test('those that wait are asked again in turn, when there is room', async () => {
  const { held } = openHeld(100_000)
  const turns: string[] = []
  const first = held.join('first', () => turns.push('first'))
  const second = held.join('second', () => turns.push('second'))
  const costs = fill(first)
  const others = fill(second)
  expect(held.waiting).toBe(2)
  await turn()
  expect(turns).toEqual([])
  for (const cost of costs) first.giveBack(cost)
  for (const cost of others) second.giveBack(cost)
  expect(turns).toEqual([])
  await turn()
  expect(turns).toEqual(['first', 'second'])
  expect(held.waiting).toBe(0)
})

test('what was begun and never arrived is given back when its connection goes', () => {
  const { held } = openHeld(100_000)
  const admission = held.join('hub', () => {})
  admission.begin(FRAME_BYTES)
  admission.begin(FRAME_BYTES)
  const cost = admission.arrive(FRAME_BYTES)
  admission.leave()
  expect(held.bytes).toBe(cost)
  admission.giveBack(cost)
  expect(held.bytes).toBe(0)
})

test('a message costs what was made of it, once that is known', () => {
  const { held } = openHeld(100_000)
  const admission = held.join('hub', () => {})
  admission.begin(FRAME_BYTES)
  const guess = admission.arrive(FRAME_BYTES)
  const known = admission.correct(guess, FRAME_BYTES, 500_000)
  expect(known).toBeGreaterThan(500_000)
  expect(held.bytes).toBe(known)
  admission.giveBack(known)
  expect(held.bytes).toBe(0)
})

test('a last will does not wait: there is room for it or not', () => {
  const { held } = openHeld(20_000)
  const admission = held.join('hub', () => {})
  const cost = admission.holdNow(FRAME_BYTES)
  expect(held.bytes).toBe(cost)
  fill(admission)
  expect(admission.holdNow(FRAME_BYTES)).toBeUndefined()
})

test('random traffic passes the limit by one message at most, everyone gets on, and nothing is left over', async () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const below = (limit: number) => Math.floor(random() * limit)
  const bytesMax = 200_000
  const largest = 50_000
  const { held } = openHeld(bytesMax)
  const begun = Array<number>(8).fill(0)
  const open: (() => void)[] = []
  const admissions = begun.map((_, index) => held.join(`hub-${index % 5}`, () => {}))
  for (let step = 0; step < 20_000; step++) {
    const index = below(admissions.length)
    const admission = admissions[index]
    const frame = below(largest)
    if (random() < 0.1) admission?.noteBacklog(random() < 0.5)
    if (random() < 0.5 || !admission || admission.isWaiting) open.splice(below(open.length), 1)[0]?.()
    else if (admission.begin(frame)) {
      begun[index] = (begun[index] ?? 0) + 1
      const cost = admission.arrive(frame)
      open.push(() => admission.giveBack(cost))
    }
    expect(held.bytes, `seed ${seed}`).toBeLessThan(bytesMax + 2_048 + 5 * largest)
    if (step % 50 === 0) await turn()
  }
  for (const end of open) end()
  expect(held.bytes, `seed ${seed}`).toBe(0)
  expect(Math.min(...begun), `seed ${seed}`).toBeGreaterThan(100)
})
