import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { imbalance, itemsReceived, itemsReleased, itemsSpooled, itemsTaken, openBooks } from './books.ts'
import type { HeldMessage } from './message.ts'
import { RefusedMessages } from './refused-messages.ts'
import type { SpooledBatch } from './spool/types.ts'
import { countItems, toSpooled } from './spooled-message.ts'
import { emptyMessage, testArrival } from './testing/messages.ts'

const principal = {
  kind: 'hub' as const,
  name: 'hub-1',
  username: 'hub-1',
  organizationId: 1,
  id: 1,
  credentialHash: 'hash',
}

/** Messages of three items each, in batches of these sizes, taken out of the spool; PostgreSQL refuses some. */
function openRefused(sizes: number[], isRefused: (message: HeldMessage) => boolean) {
  const books = openBooks()
  const removed: bigint[] = []
  const messages: HeldMessage[] = []
  const batches = sizes.map((size, index): SpooledBatch => {
    const own = Array.from({ length: size }, () => emptyMessage(testArrival(principal, 'readings', '{}'), 3))
    messages.push(...own)
    return toSpooled(own, { id: BigInt(index), writer: 'writer' }, false)
  })
  for (const { items } of messages) {
    itemsReceived(books, 'readings', items)
    itemsSpooled(books, 'readings', items)
  }
  itemsTaken(books, countItems(messages), 1)
  const refused = new RefusedMessages({
    books,
    log: pino({ level: 'silent' }),
    committer: {
      write: async ([message]) => {
        if (!message) return
        if (isRefused(message)) {
          refused.note(message)
          return
        }
        books.readings.rejected.invalid += message.rejects.length
        itemsReleased(books, 'readings', message.items)
      },
    },
    remove: async (gone) => void removed.push(...gone.map(({ id }) => id)),
  })
  return { refused, books, removed, messages, batches }
}

test('what is refused twice leaves its batch in the spool, and is offered again until it is kept', async () => {
  let takes = false
  const { refused, books, removed, messages, batches } = openRefused([2, 1], () => !takes)
  const [stored, ...others] = messages
  // The first and the last are stored.
  itemsReleased(books, 'readings', 6)
  books.readings.committed += 6
  for (const message of others.slice(0, 1)) refused.note(message)
  expect(await refused.setAside(batches, messages)).toEqual([batches[1]])
  expect(refused.leftBatches).toEqual([{ id: 0n, writer: 'writer' }])
  expect(stored?.rejects).toEqual([])
  expect(books.readings).toMatchObject({ spooled: 1, inFlight: 0 })

  const now = vi.spyOn(performance, 'now')
  try {
    const startMs = performance.now()
    await refused.retry()
    takes = true
    await refused.retry()
    expect(removed).toEqual([])
    now.mockReturnValue(startMs + 61_000)
    takes = false
    await refused.retry()
    expect(books.readings).toMatchObject({ spooled: 1, inFlight: 0 })
    takes = true
    now.mockReturnValue(startMs + 122_000)
    await refused.retry()
  } finally {
    now.mockRestore()
  }
  expect(removed).toEqual([0n])
  expect(refused.leftBatches).toEqual([])
  expect(books.readings).toMatchObject({ spooled: 0, inFlight: 0 })
  expect(imbalance(books.readings)).toBe(0)
})

test('it passes over so many batches and no more', async () => {
  const { refused, messages, batches } = openRefused(Array(100).fill(1), () => true)
  for (const message of messages.slice(1)) refused.note(message)
  await refused.setAside(batches, messages)
  refused.requireFew()
  for (const message of messages.slice(0, 1)) refused.note(message)
  await refused.setAside(batches.slice(0, 1), messages)
  expect(() => refused.requireFew()).toThrow('of 100 batches')
})
