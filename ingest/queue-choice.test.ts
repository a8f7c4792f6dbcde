import { expect, test } from 'vitest'
import { randomSeed, seeded } from '../broker/testing.ts'
import { type LaneState, nextQueue } from './queue-choice.ts'

function state(change: Partial<LaneState>): LaneState {
  return {
    lanes: 2,
    waiting: { live: 0, backlog: 0 },
    underWay: { live: 0, backlog: 0 },
    liveInARow: 0,
    ...change,
  }
}

const BOTH = { live: 1, backlog: 1 }
const ONLY_BACKLOG = { live: 0, backlog: 9 }

test('what is live goes first, whatever has been waiting longer', () => {
  expect(nextQueue(state({ waiting: BOTH }))).toBe('live')
  expect(nextQueue(state({ waiting: BOTH, underWay: { live: 0, backlog: 1 } }))).toBe('live')
})

test('one lane is never the backlog’s, unless there is only one', () => {
  const drains = (lanes: number, backlog: number) =>
    nextQueue(state({ lanes, waiting: ONLY_BACKLOG, underWay: { live: 0, backlog } }))
  expect([drains(1, 0), drains(1, 1)]).toEqual(['backlog', undefined])
  expect([drains(2, 0), drains(2, 1)]).toEqual(['backlog', undefined])
  expect([drains(4, 2), drains(4, 3)]).toEqual(['backlog', undefined])
})

test('the backlog drains beside live batches', () => {
  const beside = state({ waiting: ONLY_BACKLOG, underWay: { live: 1, backlog: 0 } })
  expect(nextQueue(beside)).toBe('backlog')
})

test('nothing begins without a free lane or without a message', () => {
  expect(nextQueue(state({}))).toBeUndefined()
  expect(nextQueue(state({ waiting: BOTH, underWay: { live: 2, backlog: 0 } }))).toBeUndefined()
})

test('after four live batches it is the backlog’s turn, unless one of it is under way', () => {
  const after = (liveInARow: number, backlog = 0) =>
    nextQueue(state({ lanes: 3, waiting: BOTH, underWay: { live: 1, backlog }, liveInARow }))
  expect([after(3), after(4), after(5)]).toEqual(['live', 'backlog', 'backlog'])
  expect(after(9, 1)).toBe('live')
})

test.each([1, 2, 3, 4])('over random arrivals, %i lanes stay busy and neither queue starves', (lanes) => {
  const seed = randomSeed()
  const random = seeded(seed)
  const waiting = { live: 0, backlog: 0 }
  const underWay = { live: 0, backlog: 0 }
  let liveInARow = 0
  let withoutBacklog = 0
  for (let step = 0; step < 10_000; step++) {
    if (random() < 0.9) waiting.live++
    if (random() < 0.5) waiting.backlog++
    const ended = random() < 0.5 ? 'live' : 'backlog'
    if (underWay[ended] > 0) underWay[ended]--
    for (;;) {
      const queue = nextQueue({ lanes, waiting, underWay, liveInARow })
      if (queue === undefined) break
      waiting[queue]--
      underWay[queue]++
      liveInARow = queue === 'live' && waiting.backlog > 0 ? liveInARow + 1 : 0
      withoutBacklog = underWay.backlog > 0 || waiting.backlog === 0 ? 0 : withoutBacklog + 1
      expect(withoutBacklog, `seed ${seed}`).toBeLessThanOrEqual(4)
    }
    const busy = underWay.live + underWay.backlog
    expect(busy <= lanes && underWay.backlog <= Math.max(lanes - 1, 1), `seed ${seed}`).toBe(true)
    if (busy < lanes) expect(waiting.live, `seed ${seed}`).toBe(0)
  }
})
