import { setImmediate as settled } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { ReceiptPublisher } from './receipt-publisher.ts'

/** A broker that takes so many a turn, or holds what it is given until it is told. */
function publisherTo(publish: (hubId: number, boot: string) => Promise<void> | undefined) {
  const published: string[] = []
  const publisher = new ReceiptPublisher({
    log: pino({ level: 'silent' }),
    receiptOf: (_hubId, boot) => (boot === 'nothing to say' ? undefined : { boot, seq: 1, missing: [] }),
    publish: (hubId, { boot }) => publish(hubId, boot),
    onPublished: (hubId, boot) => published.push(`${hubId} ${boot}`),
  })
  return { publisher, published }
}

test('12,000 hubs at once: 2,000 a turn, and all of them in the end', async () => {
  const { publisher, published } = publisherTo(() => Promise.resolve())
  for (let hubId = 1; hubId <= 12_000; hubId++) publisher.add(hubId, 'a')
  for (let turn = 1; turn <= 6; turn++) {
    publisher.publishDue()
    await settled()
    expect(published).toHaveLength(turn * 2_000)
  }
  expect(new Set(published).size).toBe(12_000)
  publisher.publishDue()
  await settled()
  expect(published).toHaveLength(12_000)
})

test('what the broker refuses is tried again, after what has not been tried yet', async () => {
  let room = 3
  const { publisher, published } = publisherTo(() =>
    room-- > 0 ? Promise.resolve() : Promise.reject(new Error('the queue is full')),
  )
  for (let hubId = 1; hubId <= 5; hubId++) publisher.add(hubId, 'a')
  publisher.publishDue()
  await settled()
  expect(published).toEqual(['1 a', '2 a', '3 a'])
  room = 10
  publisher.add(6, 'a')
  publisher.publishDue()
  await settled()
  expect(published.slice(3).sort()).toEqual(['4 a', '5 a', '6 a'])
})

test('a hub that may not log in waits until it may, and does not hold up the others', async () => {
  let known = false
  const { publisher, published } = publisherTo((hubId) =>
    hubId > 3_000 || known ? Promise.resolve() : undefined,
  )
  for (let hubId = 1; hubId <= 3_001; hubId++) publisher.add(hubId, 'a')
  publisher.publishDue()
  await settled()
  expect(published).toEqual(['3001 a'])
  known = true
  for (let turn = 0; turn < 2; turn++) {
    publisher.publishDue()
    await settled()
  }
  expect(published).toHaveLength(3_001)
})

test('a hub whose receipt is under way gets no second one, and what came meanwhile goes out afterwards', async () => {
  const held: (() => void)[] = []
  const { publisher, published } = publisherTo(() => new Promise((resolve) => held.push(resolve)))
  publisher.add(1, 'a')
  for (let turn = 0; turn < 3; turn++) {
    publisher.publishDue()
    publisher.add(1, 'a')
  }
  expect(held).toHaveLength(1)
  held.shift()?.()
  await settled()
  publisher.publishDue()
  held.shift()?.()
  await settled()
  expect(published).toEqual(['1 a', '1 a'])
})

test('receipts that are not taken count: never more than 2,000 are under way', () => {
  let underWay = 0
  const { publisher } = publisherTo(() => {
    underWay += 1
    return new Promise(() => {})
  })
  for (let hubId = 1; hubId <= 5_000; hubId++) publisher.add(hubId, 'a')
  for (let turn = 0; turn < 3; turn++) publisher.publishDue()
  expect(underWay).toBe(2_000)
})

test("a hub's boots take turns; one of which nothing can be said takes none", async () => {
  const { publisher, published } = publisherTo(() => Promise.resolve())
  for (const boot of ['nothing to say', 'a', 'b']) publisher.add(1, boot)
  publisher.publishDue()
  await settled()
  expect(published).toEqual(['1 a'])
  publisher.add(1, 'a')
  for (let turn = 0; turn < 3; turn++) {
    publisher.publishDue()
    await settled()
  }
  expect(published).toEqual(['1 a', '1 b', '1 a'])
})
