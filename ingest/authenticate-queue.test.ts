import { expect, test } from 'vitest'
import { VerificationQueue } from './authenticate-queue.ts'

/** A queue whose verifications end when the test says so; `order` says who was begun. */
function heldQueue(options: { atOnce: number; waitingMax: number }) {
  const queue = new VerificationQueue(options)
  const order: string[] = []
  const ends: (() => void)[] = []
  const run = (name: string, address: string) =>
    queue.run(address, () => {
      order.push(name)
      return new Promise((resolve) => ends.push(() => resolve(true)))
    })
  return { run, order, ends }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('the first of another address goes ahead of a flood', async () => {
  const { run, order, ends } = heldQueue({ atOnce: 1, waitingMax: 100 })
  const flood = Array.from({ length: 10 }, (_, index) => run(`flood ${index}`, '192.0.2.1'))
  const hub = run('hub', '192.0.2.2')
  const all = Promise.all([...flood, hub])
  for (let count = 0; count < 11; count++) {
    await turn()
    ends.shift()?.()
  }
  expect(await all).toEqual(Array(11).fill(true))
  expect(order.indexOf('hub')).toBe(1)
  expect(order.filter((name) => name !== 'hub')).toEqual(flood.map((_, index) => `flood ${index}`))
})

test('so many at once, so many waiting', async () => {
  const { run, order, ends } = heldQueue({ atOnce: 2, waitingMax: 3 })
  const results = Array.from({ length: 7 }, (_, index) => run(`${index}`, `192.0.2.${index}`))
  await turn()
  expect(order).toEqual(['0', '1'])
  expect(await Promise.all(results.slice(5))).toEqual([undefined, undefined])
  while (order.length < 5) {
    ends.shift()?.()
    await turn()
  }
  for (const end of ends) end()
  expect(await Promise.all(results.slice(0, 5))).toEqual(Array(5).fill(true))
})
