import { randomInt } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFailed, onTestFinished, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { SpoolFullError } from './errors.ts'
import { testBatch } from './testing/batches.ts'
import { idsIn, MIB, openTestSpool, testFolder } from './testing/spools.ts'
import type { Spool } from './types.ts'

/** SPOOL_SEED repeats a run. */
const seed = Number(process.env['SPOOL_SEED'] ?? randomInt(2 ** 31))

function bytesOnDisk(folder: string): number {
  const sizes = ['spool.db', 'spool.db-wal'].map((name) =>
    statSync(join(folder, name), { throwIfNoEntry: false }),
  )
  return sizes.reduce((sum, found) => sum + (found?.size ?? 0), 0)
}

/** Looks at the files again and again, also in the middle of what the thread does. */
function watchBytes(folder: string): { most: number } {
  const seen = { most: 0 }
  const look = () => {
    seen.most = Math.max(seen.most, bytesOnDisk(folder))
  }
  const timer = setInterval(look, 1)
  onTestFinished(() => clearInterval(timer))
  return seen
}

/** Appends until there is no room; returns the ids that were kept, and why no more. */
async function fill(
  spool: Spool,
  options: { firstId: number; together: number; payloadBytes: () => number },
) {
  const kept: number[] = []
  for (let id = options.firstId; ; id += options.together) {
    const ids = Array.from({ length: options.together }, (_, index) => id + index)
    try {
      await spool.append(
        ids.map((each) => testBatch(each, { messages: 1, payloadBytes: options.payloadBytes() })),
      )
      kept.push(...ids)
    } catch (error) {
      return { kept, error }
    }
  }
}

async function drain(spool: Spool, count: number): Promise<void> {
  await spool.remove(await spool.oldest({ batches: count, bytes: 1_000 * MIB }))
}

test.each([
  { bytesMax: 6 * MIB, from: 1, to: 2_000, together: 50 },
  { bytesMax: 12 * MIB, from: 10_000, to: 700_000, together: 1 },
  { bytesMax: 64 * MIB, from: 100_000, to: 3_000_000, together: 2 },
])(
  `$bytesMax bytes on disk are never exceeded by payloads of $from to $to, and are used (seed ${seed})`,
  async ({ bytesMax, from, to, together }) => {
    onTestFailed(() => void process.stderr.write(`SPOOL_SEED=${seed}\n`))
    const random = new Random(seed)
    const payloadBytes = () => random.integer(from, to)
    const folder = await testFolder()
    const spool = await openTestSpool(folder, { bytesMax })
    const seen = watchBytes(folder)
    let firstId = 1
    let expected: number[] = []
    for (let round = 0; round < 3; round++) {
      const { kept, error } = await fill(spool, { firstId, together, payloadBytes })
      expect(error).toBeInstanceOf(SpoolFullError)
      expect([spool.state, spool.reason]).toEqual(['full', expect.stringMatching(/may take \d+/)])
      firstId += kept.length + 1
      expected = [...expected, ...kept]
      const stored = await idsIn(spool)
      expect(stored).toEqual(expected)
      expect(spool.stats.bytes).toBe(bytesOnDisk(folder))
      expect(spool.stats.bytes).toBeGreaterThan(bytesMax / 3)
      const count = Math.ceil(stored.length * random.uniform(0.3, 0.8))
      await drain(spool, count)
      expected = expected.slice(count)
      expect([spool.state, spool.reason]).toEqual(['ready', undefined])
    }
    expect(seen.most).toBeLessThanOrEqual(bytesMax)
  },
)

test('where one append has no room, a smaller one of the same moment is kept', async () => {
  const spool = await openTestSpool(await testFolder(), { bytesMax: 8 * MIB })
  const append = (id: number, payloadBytes: number) =>
    spool.append([testBatch(id, { messages: 1, payloadBytes })])
  await append(1, 2 * MIB)
  const results = await Promise.allSettled([append(2, 1_000), append(3, 3 * MIB), append(4, 1_000)])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await idsIn(spool)).toEqual([1, 2, 4])
})

test('it stays full until what was refused has room, so that its state does not flap', async () => {
  const spool = await openTestSpool(await testFolder(), { bytesMax: 8 * MIB })
  const append = (id: number, payloadBytes: number) =>
    spool.append([testBatch(id, { messages: 1, payloadBytes })])
  await append(1, 2 * MIB)
  await expect(append(2, 3 * MIB)).rejects.toThrow(SpoolFullError)
  await append(3, 1_000)
  expect(spool.state).toBe('full')
  await drain(spool, 1)
  expect(spool.state).toBe('ready')
  await append(2, 3 * MIB)
})

test('an append that is larger than the spool may be is refused, and does not make it full', async () => {
  const spool = await openTestSpool(await testFolder(), { bytesMax: 8 * MIB })
  const refused = spool.append([testBatch(1, { messages: 1, payloadBytes: 9 * MIB })])
  await expect(refused).rejects.toThrow(SpoolFullError)
  await expect(refused).rejects.toThrow(/can never take this append/)
  expect(spool.state).toBe('ready')
})

test('of an append of several batches all are kept or none', async () => {
  const spool = await openTestSpool(await testFolder(), { bytesMax: 8 * MIB })
  await spool.append([testBatch(9, { messages: 1, payloadBytes: 2 * MIB })])
  const batches = [1, 2, 3].map((id) => testBatch(id, { messages: 1, payloadBytes: MIB }))
  await expect(spool.append(batches)).rejects.toThrow(SpoolFullError)
  expect(await idsIn(spool)).toEqual([9])
  expect(spool.stats).toMatchObject({ batches: 1, messages: 1 })
})

test('pages of what was removed are used again, and an empty spool gives its room back', async () => {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  const appendMany = async (firstId: number) => {
    const ids = Array.from({ length: 40 }, (_, index) => firstId + index)
    await Promise.all(ids.map((id) => spool.append([testBatch(id, { messages: 1, payloadBytes: MIB })])))
  }
  await appendMany(1)
  await drain(spool, 30)
  const before = statSync(join(folder, 'spool.db')).size
  for (let round = 1; round <= 4; round++) {
    await appendMany(round * 100)
    await drain(spool, 40)
  }
  expect(statSync(join(folder, 'spool.db')).size).toBeLessThan(before + 20 * MIB)
  expect(spool.stats.batches).toBe(10)
  await drain(spool, 10)
  expect(spool.stats).toMatchObject({ batches: 0, bytes: bytesOnDisk(folder) })
  expect(spool.stats.bytes).toBeLessThan(4 * MIB)
  await spool.append([testBatch(1)])
  expect(await idsIn(spool)).toEqual([1])
})

test('a limit below what is there already makes it full; it can be drained', async () => {
  const folder = await testFolder()
  const spool = await openTestSpool(folder)
  for (let id = 1; id <= 20; id++) await spool.append([testBatch(id, { messages: 1, payloadBytes: MIB })])
  await spool.close()
  const smaller = await openTestSpool(folder, { bytesMax: 5 * MIB })
  await expect(smaller.append([testBatch(21)])).rejects.toThrow(SpoolFullError)
  for (let left = 20; left > 0; left -= 5) {
    expect(await idsIn(smaller)).toHaveLength(left)
    await drain(smaller, 5)
  }
  await smaller.append([testBatch(21)])
  expect(await idsIn(smaller)).toEqual([21])
})
