import { expect, test } from 'vitest'
import { door, reading } from '../testing/messages.ts'
import { Batcher } from './batcher.ts'

const sizes = (batcher: Batcher, nowMs: number) => batcher.take(nowMs).map(({ items }) => items.length)

test('a message goes when it is full, or when its oldest reading has waited long enough', () => {
  const batcher = new Batcher({ readingsMax: 3, batchMs: 1_000 })
  for (let at = 0; at < 7; at++) batcher.add(reading(at), 100)
  expect(sizes(batcher, 100)).toEqual([3, 3])
  expect(sizes(batcher, 1_099)).toEqual([])
  expect(sizes(batcher, 1_100)).toEqual([1])
  expect(sizes(batcher, 9_999)).toEqual([])
  batcher.add(reading(7), 5_000)
  expect(sizes(batcher, 5_999)).toEqual([])
  expect(sizes(batcher, 6_000)).toEqual([1])
})

test('door events do not wait', () => {
  const batcher = new Batcher({ readingsMax: 3, batchMs: 1_000 })
  batcher.add(reading(1), 0)
  batcher.add(door(1), 0)
  batcher.add(door(2, 'closed'), 0)
  expect(batcher.take(0)).toEqual([{ channel: 'doors', items: [door(1), door(2, 'closed')] }])
  expect(batcher.takeAll()).toEqual([{ channel: 'readings', items: [reading(1)] }])
  expect(batcher.takeAll()).toEqual([])
})
