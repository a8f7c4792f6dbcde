import { expect, test } from 'vitest'
import {
  currentOf,
  type HubReceiptState,
  hasGaps,
  noteDurable,
  noteSeen,
  openState,
  passOverOldGaps,
  receiptOf,
  restoreState,
} from './receipt-tracker.ts'

const GAP_SECONDS = 300
const LATER_MS = GAP_SECONDS * 1_000

function durable(state: HubReceiptState, boot: string, seqs: readonly number[], nowMs = 0): void {
  for (const seq of seqs) noteDurable(state, { boot, seq }, nowMs)
}

/** A hub whose given messages are durable and whose gaps are all passed over. */
function passedOver(...seqs: number[]): HubReceiptState {
  const state = openState()
  durable(state, 'a', seqs)
  passOverOldGaps(state, LATER_MS, GAP_SECONDS)
  return state
}

test('the receipt begins with the first message seen of a boot, not with 0', () => {
  const state = openState()
  durable(state, 'a', [4711, 4712])
  expect(receiptOf(state, 'a')).toEqual({ boot: 'a', seq: 4712, missing: [] })
})

test('it waits for a message that was seen and is not durable yet', () => {
  const state = openState()
  expect(noteSeen(state, { boot: 'a', seq: 1 })).toBe(1)
  expect(noteSeen(state, { boot: 'a', seq: 2 })).toBe(1)
  durable(state, 'a', [2, 3])
  expect(receiptOf(state, 'a')).toBeUndefined()
  durable(state, 'a', [1])
  expect(receiptOf(state, 'a')?.seq).toBe(3)
  expect(hasGaps(state)).toBe(false)
})

test('a boot that is not known begins at the first counter that its mark names', () => {
  const state = openState()
  noteDurable(state, { boot: 'a', seq: 11, first: 10 }, 0)
  expect(receiptOf(state, 'a')).toBeUndefined()
  durable(state, 'a', [10])
  expect(receiptOf(state, 'a')?.seq).toBe(11)
})

test('a gap is passed over when it is old enough, listed, and taken off the list when it is filled after all', () => {
  const state = openState()
  durable(state, 'a', [1, 2])
  durable(state, 'a', [5], 10_000)
  expect(passOverOldGaps(state, 309_999, GAP_SECONDS)).toEqual([])
  expect(receiptOf(state, 'a')).toMatchObject({ seq: 2, missing: [] })
  expect(passOverOldGaps(state, 310_000, GAP_SECONDS)).toEqual(['a'])
  expect(receiptOf(state, 'a')).toMatchObject({ seq: 5, missing: [3, 4] })
  durable(state, 'a', [4])
  expect(receiptOf(state, 'a')).toMatchObject({ seq: 5, missing: [3] })
})

test('a gap of any length is listed whole', () => {
  expect(receiptOf(passedOver(0, 5_000), 'a')).toMatchObject({ seq: 5_000, missing: [[1, 4_999]] })
  const state = passedOver(0, 2 ** 50, Number.MAX_SAFE_INTEGER)
  expect(receiptOf(state, 'a')).toMatchObject({
    seq: Number.MAX_SAFE_INTEGER,
    missing: [
      [1, 2 ** 50 - 1],
      [2 ** 50 + 1, Number.MAX_SAFE_INTEGER - 1],
    ],
  })
  durable(state, 'a', [2 ** 49])
  expect(receiptOf(state, 'a')?.missing.slice(0, 2)).toEqual([
    [1, 2 ** 49 - 1],
    [2 ** 49 + 1, 2 ** 50 - 1],
  ])
})

test('more pieces than are kept: the oldest gap is passed over at once', () => {
  const state = openState()
  durable(
    state,
    'a',
    Array.from({ length: 1_002 }, (_, n) => n * 2),
  )
  expect(receiptOf(state, 'a')).toMatchObject({ seq: 2, missing: [1] })
})

test('current is the boot whose message became durable last, not the one heard of last', () => {
  const state = openState()
  durable(state, 'b', [5])
  durable(state, 'a', [0])
  expect(currentOf(state)).toMatchObject({ boot: 'a', seq: 0 })
  durable(state, 'b', [6, 7])
  noteSeen(state, { boot: 'a', seq: 1 })
  expect(currentOf(state)).toEqual({ boot: 'b', seq: 7, missing: [] })
  expect(receiptOf(state, 'a')?.seq).toBe(0)
})

test('of too many boots the one heard longest ago is forgotten, and nothing is said of it when it comes back', () => {
  const state = openState()
  durable(state, 'a', [1, 3])
  durable(state, 'b', [1, 3])
  for (const boot of ['c', 'd', 'e', 'f', 'g', 'h']) durable(state, boot, [0])
  noteSeen(state, { boot: 'a', seq: 4 })
  durable(state, 'i', [0])
  expect(receiptOf(state, 'a')).toMatchObject({ seq: 1 })

  expect(noteSeen(state, { boot: 'b', seq: 50 })).toBeUndefined()
  durable(state, 'b', [50, 51])
  expect(receiptOf(state, 'b')).toBeUndefined()
  expect(currentOf(state)).toMatchObject({ boot: 'i', seq: 0 })
})

test('boots without end: what is kept of a hub stays bounded, and its current boot stays', () => {
  const state = openState()
  durable(state, 'current', [1])
  for (let n = 0; n < 500; n++) noteSeen(state, { boot: `boot ${n}`, seq: 0 })
  expect(currentOf(state)).toMatchObject({ boot: 'current', seq: 1 })
  expect(state.boots).toHaveLength(8)
  expect(state.forgotten).toHaveLength(100)
})

test('a state as early versions kept it is gone on from', () => {
  const state = restoreState([
    { boot: 'a', first: 0, seq: 5, missing: [1, 2, 4], ahead: [] },
    { boot: 'b', first: 7, seq: 7, missing: [], ahead: [{ from: 9, to: 9, sinceMs: 0 }] },
  ])
  expect(currentOf(state)).toEqual({ boot: 'b', seq: 7, missing: [] })
  durable(state, 'b', [8])
  durable(state, 'a', [2])
  expect(receiptOf(state, 'b')?.seq).toBe(9)
  expect(receiptOf(state, 'a')).toEqual({ boot: 'a', seq: 5, missing: [1, 4] })
})

/** What a receipt claims, counted one by one. */
function claims(state: HubReceiptState, boot: string, seq: number): boolean {
  const receipt = receiptOf(state, boot)
  const isMissing = receipt?.missing.some((entry) =>
    typeof entry === 'number' ? entry === seq : entry[0] <= seq && seq <= entry[1],
  )
  return receipt !== undefined && seq <= receipt.seq && !isMissing
}

test('counters in any order, some twice, some never: a receipt claims what is durable and nothing else', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  let random = seed
  const next = (below: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff
    return (random >> 8) % below
  }
  const state = openState()
  noteSeen(state, { boot: 'a', seq: 0 })
  const noted = new Set<number>()
  for (let nowMs = 0; nowMs < 300; nowMs++) {
    const seq = next(200)
    noted.add(seq)
    durable(state, 'a', [seq], nowMs)
    if (next(20) === 0) passOverOldGaps(state, nowMs, 0.1)
    const wrong = Array.from({ length: 200 }, (_, n) => n).filter(
      (n) => claims(state, 'a', n) && !noted.has(n),
    )
    expect(wrong, `seed ${seed}, step ${nowMs}`).toEqual([])
  }
  passOverOldGaps(state, LATER_MS, 0)
  const unclaimed = [...noted].filter((seq) => !claims(state, 'a', seq))
  expect(unclaimed, `seed ${seed}`).toEqual([])
})
