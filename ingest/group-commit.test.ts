import { expect, test } from 'vitest'
import { GroupCommit, type GroupCommitOptions } from './group-commit.ts'
import type { HeldMessage } from './message.ts'
import { emptyMessage, testArrival } from './testing/messages.ts'

const PRINCIPAL = {
  kind: 'hub' as const,
  name: 'hub-1',
  username: 'hub-1',
  organizationId: 1,
  id: 1,
  credentialHash: '',
}

function message(items: number, bytes = 10): HeldMessage {
  return emptyMessage(testArrival(PRINCIPAL, 'readings', 'x'.repeat(bytes)), items)
}

function oldMessage(items: number): HeldMessage {
  return emptyMessage(testArrival(PRINCIPAL, 'readings', 'x', { isBacklog: true }), items)
}

/** Commits end when the test says so. */
function held(options: Partial<GroupCommitOptions>) {
  const batches: { messages: HeldMessage[]; end: () => void }[] = []
  const commits = new GroupCommit({
    lanes: 1,
    batchRowsMax: 100,
    backlogRowsMax: 100,
    now: () => 0,
    batchBytesMax: 1_000,
    commit: (messages) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      batches.push({ messages, end: resolve })
      return promise
    },
    ...options,
  })
  const sizes = () => batches.map(({ messages }) => messages.length)
  return { commits, batches, sizes }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('messages that come while a batch is under way become the next one, all of them', async () => {
  const { commits, batches, sizes } = held({})
  commits.add(message(1))
  await turn()
  for (let n = 0; n < 7; n++) commits.add(message(1))
  await turn()
  expect(sizes()).toEqual([1])
  batches[0]?.end()
  await turn()
  expect(sizes()).toEqual([1, 7])
})

test('no more batches are under way than there are lanes', async () => {
  const { commits, sizes } = held({ lanes: 2, batchRowsMax: 1 })
  for (let n = 0; n < 5; n++) commits.add(message(1))
  await turn()
  expect(sizes()).toEqual([1, 1])
})

test('a batch ends at its limits in rows and in bytes, but takes a message of any size', async () => {
  const rows = held({ lanes: 9, batchRowsMax: 10 })
  for (const items of [4, 4, 4, 50, 1]) rows.commits.add(message(items))
  await turn()
  expect(rows.sizes()).toEqual([2, 1, 1, 1])
  const bytes = held({ lanes: 9, batchBytesMax: 100 })
  for (const size of [60, 40, 1, 900]) bytes.commits.add(message(1, size))
  await turn()
  expect(bytes.sizes()).toEqual([2, 1, 1])
})

test.each([
  ['live messages', message, { batchRowsMax: 1 }],
  ['old ones', oldMessage, { lanes: 2, batchRowsMax: 1 }],
])('is drained when nothing waits and nothing is under way: %s', async (_what, make, limits) => {
  const { commits, batches } = held(limits)
  commits.add(make(1))
  commits.add(make(1))
  let drained = false
  const wait = commits.drained().then(() => {
    drained = true
  })
  await turn()
  batches[0]?.end()
  await turn()
  expect([batches.length, drained]).toEqual([2, false])
  batches[1]?.end()
  await wait
})

test('a live message overtakes old ones that arrived long before it; each queue keeps its order', async () => {
  const { commits, batches } = held({ batchRowsMax: 2, backlogRowsMax: 2 })
  const old = Array.from({ length: 6 }, () => oldMessage(1))
  for (const one of old) commits.add(one)
  await turn()
  const live = [message(1), message(1)]
  for (const one of live) commits.add(one)
  for (let batch = 0; batch < 4; batch++) {
    batches[batch]?.end()
    await turn()
  }
  expect(batches.map(({ messages }) => messages)).toEqual([
    [old[0], old[1]],
    live,
    [old[2], old[3]],
    [old[4], old[5]],
  ])
})

test('of two lanes one is kept free for live messages', async () => {
  const { commits, sizes } = held({ lanes: 2, batchRowsMax: 10 })
  for (let n = 0; n < 30; n++) commits.add(oldMessage(1))
  await turn()
  expect(sizes()).toEqual([10])
  expect([commits.waiting('live'), commits.waiting('backlog')]).toEqual([0, 20])
  commits.add(message(3))
  await turn()
  expect(sizes()).toEqual([10, 1])
})

test('live messages without end leave one batch in five to the backlog', async () => {
  const { commits, batches } = held({ batchRowsMax: 1, backlogRowsMax: 1 })
  for (let n = 0; n < 3; n++) commits.add(oldMessage(1))
  for (let n = 0; n < 20; n++) commits.add(message(1))
  await turn()
  for (let batch = 0; batch < 15; batch++) {
    batches[batch]?.end()
    await turn()
  }
  const queues = batches.map(({ messages }) => (messages[0]?.arrival.isBacklog ? 'b' : 'l')).join('')
  expect(queues).toBe('llllbllllbllllbl')
})

test('batches of old readings are small until no live message has come for a second', async () => {
  let nowMs = 5_000
  const { commits, batches, sizes } = held({ lanes: 2, backlogRowsMax: 10, now: () => nowMs })
  const live = message(1)
  live.arrival.arrivedAtMs = 5_000
  commits.add(live)
  for (let n = 0; n < 300; n++) commits.add(oldMessage(1))
  await turn()
  expect(sizes()).toEqual([1, 10])
  nowMs = 5_999
  batches[1]?.end()
  await turn()
  nowMs = 6_000
  batches[2]?.end()
  await turn()
  expect(sizes()).toEqual([1, 10, 10, 100])
})
