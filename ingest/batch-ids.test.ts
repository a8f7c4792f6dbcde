import { expect, test } from 'vitest'
import { BatchIds } from './batch-ids.ts'

test('what is given up is not settled, and nothing is about to land before it', () => {
  const ids = new BatchIds('00000000-0000-4000-8000-000000000001')
  const [first, second, third] = [ids.open(), ids.open(), ids.open()]
  expect([ids.settledId(), ids.landedId()]).toEqual([first.id - 1n, first.id - 1n])
  ids.settle(second)
  ids.giveUp(first)
  expect([ids.settledId(), ids.landedId()]).toEqual([first.id - 1n, third.id - 1n])
  ids.settle(third)
  expect([ids.settledId(), ids.landedId()]).toEqual([first.id - 1n, third.id])
  // The spool has drained it.
  ids.settle(first)
  // One of an earlier process is nobody's here.
  ids.giveUp({ ...first, id: 1n })
  expect([ids.settledId(), ids.landedId()]).toEqual([third.id, third.id])
})
