import { expect, test } from 'vitest'
import { AppendQueue, TRANSACTION_BYTES_MAX } from './append-queue.ts'
import { testEncodedBatch } from './testing/batches.ts'
import type { EncodedBatch } from './worker-messages.ts'

interface Transaction {
  ids: number[][]
  end: (refusals: (string | null)[]) => void
  fail: (error: Error) => void
}

/** A queue whose transactions end when the test says so. */
function startQueue() {
  const transactions: Transaction[] = []
  const queue = new AppendQueue((appends: EncodedBatch[][]) => {
    const { promise, resolve, reject } = Promise.withResolvers<(string | null)[]>()
    const ids = appends.map((batches) => batches.map(({ id }) => Number(id)))
    transactions.push({ ids, end: resolve, fail: reject })
    return promise
  })
  return { queue, transactions }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('what arrives while a transaction is written is written together in the next one', async () => {
  const { queue, transactions } = startQueue()
  const first = queue.add([testEncodedBatch(1)])
  const others = [2, 3, 4].map((id) => queue.add([testEncodedBatch(id), testEncodedBatch(id + 10)]))
  expect(transactions.map(({ ids }) => ids)).toEqual([[[1]]])
  transactions[0]?.end([null])
  expect(await first).toBeNull()
  await turn()
  expect(transactions[1]?.ids).toEqual([
    [2, 12],
    [3, 13],
    [4, 14],
  ])
  transactions[1]?.end([null, 'no room', null])
  expect(await Promise.all(others)).toEqual([null, 'no room', null])
  await queue.idle()
  void queue.add([testEncodedBatch(5)])
  expect(transactions).toHaveLength(3)
})

test('a transaction takes appends up to a size, and a larger append alone', async () => {
  const { queue, transactions } = startQueue()
  const sized = (id: number, bytes: number) => ({ ...testEncodedBatch(id), content: new Uint8Array(bytes) })
  const half = TRANSACTION_BYTES_MAX / 2
  const sizes = [1, half, half, 1, 3 * half, 1]
  const added = sizes.map((bytes, index) => queue.add([sized(index + 1, bytes)]))
  for (let index = 0; index < 5; index++) {
    await turn()
    const { ids, end } = transactions[index] ?? { ids: [], end: () => {} }
    end(ids.map(() => null))
  }
  await Promise.all(added)
  expect(transactions.map(({ ids }) => ids.flat())).toEqual([[1], [2, 3], [4], [5], [6]])
})

test('a transaction that fails rejects its own appends, and the next is tried', async () => {
  const { queue, transactions } = startQueue()
  const first = queue.add([testEncodedBatch(1)])
  const second = queue.add([testEncodedBatch(2)])
  transactions[0]?.fail(new Error('the disk is gone'))
  await expect(first).rejects.toThrow('the disk is gone')
  await turn()
  transactions[1]?.end([null])
  expect(await second).toBeNull()
})
