import { expect, test } from 'vitest'
import { ReleaseOrder } from './release-order.ts'
import { randomSeed, seeded } from './testing.ts'

test('a message finished early waits for those before it', () => {
  const order = new ReleaseOrder()
  const released: string[] = []
  const held = ['a', 'b', 'c'].map((name) => order.hold((error) => released.push(error?.message ?? name)))
  const finish = (index: number, error?: Error) => held[index] && order.finish(held[index], error)
  finish(2)
  finish(1, new Error('b failed'))
  expect(released).toEqual([])
  finish(0)
  expect(released).toEqual(['a', 'b failed', 'c'])
  expect(order.size).toBe(0)
})

test('a release that leads to the next arrival keeps the order and does not recurse', () => {
  const order = new ReleaseOrder()
  const released: number[] = []
  const arrive = (number: number) => {
    const held = order.hold(() => {
      if (number < 20_000) arrive(number + 1)
      released.push(number)
    })
    order.finish(held)
  }
  arrive(0)
  expect(released).toEqual(Array.from({ length: 20_001 }, (_, index) => index))
})

test('random order of finishing, never the order of release', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const order = new ReleaseOrder()
  const released: number[] = []
  const open: { number: number; held: ReturnType<ReleaseOrder['hold']> }[] = []
  let next = 0
  while (released.length < 5_000) {
    if (next < 5_000 && (open.length === 0 || random() < 0.5)) {
      const number = next++
      open.push({ number, held: order.hold(() => released.push(number)) })
    } else {
      const [entry] = open.splice(Math.floor(random() * open.length), 1)
      if (entry) order.finish(entry.held)
    }
  }
  expect(released, `seed ${seed}`).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
})
