import { expect, test } from 'vitest'
import { type HubReceiptState, hasGaps, noteDurable, noteSeen, passOverOldGaps } from './receipt-tracker.ts'

function durable(state: HubReceiptState, boot: string, seqs: readonly number[], nowMs = 0): void {
  for (const seq of seqs) noteDurable(state, boot, seq, nowMs)
}

const newest = (state: HubReceiptState) => state.at(-1)

test('the receipt begins with the first message seen of a boot, not with 0', () => {
  const state: HubReceiptState = []
  durable(state, 'a', [4711, 4712])
  expect(newest(state)).toMatchObject({ boot: 'a', seq: 4712, missing: [] })
})

test('it waits for a message that was seen and is not durable yet', () => {
  const state: HubReceiptState = []
  noteSeen(state, 'a', 1)
  durable(state, 'a', [2, 3])
  expect(newest(state)?.seq).toBe(0)
  durable(state, 'a', [1])
  expect(newest(state)?.seq).toBe(3)
  expect(hasGaps(state)).toBe(false)
})

test('a gap is passed over when it is old enough, listed, and taken off the list when it is filled after all', () => {
  const state: HubReceiptState = []
  durable(state, 'a', [1, 2])
  durable(state, 'a', [5], 10_000)
  expect(passOverOldGaps(state, 309_999, 300)).toBe(false)
  expect(newest(state)).toMatchObject({ seq: 2, missing: [] })
  expect(passOverOldGaps(state, 310_000, 300)).toBe(true)
  expect(newest(state)).toMatchObject({ seq: 5, missing: [3, 4] })
  durable(state, 'a', [4])
  expect(newest(state)).toMatchObject({ seq: 5, missing: [3] })
})

test('a new boot has its own count, and the one before it does not come back', () => {
  const state: HubReceiptState = []
  durable(state, 'a', [1, 2])
  durable(state, 'b', [7])
  durable(state, 'a', [3])
  expect(newest(state)).toMatchObject({ boot: 'b', seq: 7 })
})

test('counters in any order, any of them twice, end in the same receipt', () => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  let random = seed
  const next = (below: number) => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff
    return random % below
  }
  const seqs = Array.from({ length: 300 }, (_, n) => n + 100)
  const shuffled = [...seqs, ...seqs.slice(50, 150)]
  for (let n = shuffled.length - 1; n > 0; n--) {
    const other = next(n + 1)
    ;[shuffled[n], shuffled[other]] = [shuffled[other] ?? 0, shuffled[n] ?? 0]
  }
  const state: HubReceiptState = []
  noteSeen(state, 'a', 100)
  durable(state, 'a', shuffled)
  expect(newest(state), `seed ${seed}`).toMatchObject({ seq: 399, missing: [], ahead: [] })
})
