import { expect, test } from 'vitest'
import { type Held, ReleaseOrder } from './release-order.ts'
import { randomSeed, seeded } from './testing.ts'

interface Numbered extends Held<Numbered> {
  number: number
}

function numbered(number: number): Numbered {
  return { number, isFinished: false, error: undefined, next: undefined }
}

test('a message finished early waits for those before it', () => {
  const released: (number | string)[] = []
  const order = new ReleaseOrder<Numbered>(({ number, error }) => released.push(error?.message ?? number))
  const [a, b, c] = [numbered(1), numbered(2), numbered(3)]
  for (const held of [a, b, c]) order.hold(held)
  order.finish(c)
  order.finish(b, new Error('b failed'))
  expect(released).toEqual([])
  order.finish(a)
  expect(released).toEqual([1, 'b failed', 3])
  expect(order.size).toBe(0)
})

test('a release that leads to the next arrival keeps the order and does not recurse', () => {
  const released: number[] = []
  const order = new ReleaseOrder<Numbered>(({ number }) => {
    if (number < 20_000) arrive(number + 1)
    released.push(number)
  })
  const arrive = (number: number) => {
    const held = numbered(number)
    order.hold(held)
    order.finish(held)
  }
  arrive(0)
  expect(released).toEqual(Array.from({ length: 20_001 }, (_, index) => index))
})

test('random order of finishing, never the order of release', () => {
  const seed = randomSeed()
  const random = seeded(seed)
  const released: number[] = []
  const order = new ReleaseOrder<Numbered>(({ number }) => released.push(number))
  const open: Numbered[] = []
  let next = 0
  while (released.length < 5_000) {
    if (next < 5_000 && (open.length === 0 || random() < 0.5)) {
      const held = numbered(next++)
      order.hold(held)
      open.push(held)
    } else {
      const [held] = open.splice(Math.floor(random() * open.length), 1)
      if (held) order.finish(held)
    }
  }
  expect(released, `seed ${seed}`).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
})
