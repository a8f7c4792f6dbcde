import { randomInt } from 'node:crypto'
import { copyFile, mkdir, open, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { testBatch } from './testing/batches.ts'
import {
  contentOf,
  expectNothingLost,
  expectWhole,
  idsOf,
  printSeedOnFailure,
  SIZES,
} from './testing/kills.ts'
import { testFolder } from './testing/spools.ts'
import { startAppender } from './testing/start-appender.ts'

/** SPOOL_SEED and SPOOL_KILLS repeat a run, or make it longer. */
const seed = Number(process.env['SPOOL_SEED'] ?? randomInt(2 ** 31))
const kills = Number(process.env['SPOOL_KILLS'] ?? 4)

test(`what was appended is there after ${kills} kills -9 at random moments, whole and in order (seed ${seed})`, () =>
  expectNothingLost({ kills, seed }))

/** A spool as a kill leaves it: nothing of its write-ahead log is in the database yet. */
async function killedSpool(batches: number): Promise<string> {
  const folder = await testFolder()
  const appender = startAppender({ folder, batches })
  await appender.said('done')
  appender.signal('SIGKILL')
  await appender.ended
  return folder
}

async function copyOf(folder: string): Promise<string> {
  const copy = await testFolder()
  await mkdir(copy, { mode: 0o700 })
  for (const name of ['spool.db', 'spool.db-wal']) await copyFile(join(folder, name), join(copy, name))
  return copy
}

type Tear = 'cut off' | 'overwritten' | 'zeroed'

async function tearLog(folder: string, tear: Tear, at: number): Promise<void> {
  const log = join(folder, 'spool.db-wal')
  if (tear === 'cut off') {
    await truncate(log, at)
    return
  }
  const { size } = await stat(log)
  const noise = Buffer.alloc(size - at, tear === 'zeroed' ? 0 : 'noise')
  const handle = await open(log, 'r+')
  await handle.write(noise, 0, noise.length, at)
  await handle.close()
}

/**
 * What this means for what was acknowledged: nothing. An append resolves after fsync, so a disk that honours it cannot
 * lose what stands before the end of the log. It shows what a disk that lies about fsync costs: the newest batches, never
 * the spool or the order, and never half a batch.
 */
test.each<Tear>(['cut off', 'overwritten', 'zeroed'])(
  `of a write-ahead log whose end is %s, a prefix of the batches remains (seed ${seed})`,
  async (tear) => {
    printSeedOnFailure(seed)
    const random = new Random(seed, tear)
    const count = 40
    const folder = await killedSpool(count)
    const { size } = await stat(join(folder, 'spool.db-wal'))
    const points = Array.from({ length: 6 }, () => random.integer(1, size - 1)).toSorted((a, b) => a - b)
    const remaining: number[] = []
    for (const at of points) {
      const torn = await copyOf(folder)
      await tearLog(torn, tear, at)
      const batches = await contentOf(torn, (spool) => spool.append([testBatch(99, SIZES)]))
      expectWhole(batches)
      expect(idsOf(batches)).toEqual(Array.from({ length: batches.length }, (_, index) => index + 1))
      expect(batches.length % 2).toBe(0)
      remaining.push(batches.length)
      expect(idsOf(await contentOf(torn)).at(-1)).toBe(99)
    }
    expect(remaining).toEqual(remaining.toSorted((a, b) => a - b))
    expect(new Set(remaining).size).toBeGreaterThan(1)
    expect(idsOf(await contentOf(await copyOf(folder)))).toHaveLength(count)
  },
)

test('a kill after some of the log is in the database leaves the rest in the log', async () => {
  const folder = await killedSpool(800)
  expect((await stat(join(folder, 'spool.db'))).size).toBeGreaterThan(10_000_000)
  expect((await readFile(join(folder, 'spool.db-wal'))).length).toBeGreaterThan(0)
  const batches = await contentOf(folder)
  expectWhole(batches)
  expect(idsOf(batches)).toHaveLength(800)
})
