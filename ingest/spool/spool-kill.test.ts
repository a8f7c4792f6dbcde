import { randomInt } from 'node:crypto'
import { copyFile, mkdir, open, readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFailed, test } from 'vitest'
import { Random } from '../../simulators/random.ts'
import { isTestBatch, testBatch } from './testing/batches.ts'
import { EVERYTHING, openTestSpool, testFolder } from './testing/spools.ts'
import { type Appender, startAppender } from './testing/start-appender.ts'
import type { Spool, SpooledBatch } from './types.ts'

/** SPOOL_SEED and SPOOL_KILLS repeat a run, or make it longer. */
const seed = Number(process.env['SPOOL_SEED'] ?? randomInt(2 ** 31))
const kills = Number(process.env['SPOOL_KILLS'] ?? 10)
const KEPT = 30
/** As the appender makes them. */
const SIZES = { messages: 50, payloadBytes: 1_000 }

function printSeedOnFailure(): void {
  onTestFailed(() => void process.stderr.write(`SPOOL_SEED=${seed}\n`))
}

/** Opens the spool, hands over what is in it, and closes it again. */
async function contentOf(
  folder: string,
  use: (spool: Spool, batches: SpooledBatch[]) => Promise<void> = async () => {},
): Promise<SpooledBatch[]> {
  const spool = await openTestSpool(folder)
  const batches = await spool.oldest(EVERYTHING)
  expect(spool.stats).toMatchObject({ batches: batches.length, messages: batches.length * SIZES.messages })
  expect(spool.state).toBe('ready')
  await use(spool, batches)
  await spool.close()
  return batches
}

function idsOf(batches: readonly SpooledBatch[]): number[] {
  return batches.map(({ id }) => Number(id))
}

/** The batch that was appended together with this one: 1 with 2, 3 with 4. */
function pairOf(id: number): number {
  return id % 2 === 0 ? id - 1 : id + 1
}

function expectWhole(batches: readonly SpooledBatch[]): void {
  expect(idsOf(batches.filter((batch) => !isTestBatch(batch, SIZES)))).toEqual([])
}

/** What must be there, and what may be, from what processes have said before they were killed. */
class Ledger {
  readonly appending = new Set<number>()
  readonly appended = new Set<number>()
  readonly removing = new Set<number>()
  readonly removed = new Set<number>()

  mayBeGone(id: number): boolean {
    return this.removing.has(id) || this.removed.has(id)
  }

  add(appender: Appender): void {
    for (const word of ['appending', 'appended', 'removing', 'removed'] as const) {
      for (const id of appender.ids(word)) this[word].add(id)
    }
  }
}

test(`what was appended is there after ${kills} kills -9 at random moments, whole and in order (seed ${seed})`, async () => {
  printSeedOnFailure()
  const random = new Random(seed)
  const folder = await testFolder()
  const ledger = new Ledger()
  for (let kill = 0; kill < kills; kill++) {
    const appender = startAppender({
      folder,
      firstId: kill * 1_000_000 + 1,
      batches: 1_000_000,
      lanes: random.integer(1, 4),
      drains: random.chance(0.7),
    })
    await appender.said('opened')
    await sleep(random.integer(0, 400))
    appender.signal('SIGKILL')
    expect(await appender.ended).toBe('SIGKILL')
    ledger.add(appender)

    // Some stay for the next process to find.
    const batches = await contentOf(folder, (spool, all) => spool.remove(all.slice(0, -KEPT)))
    expectWhole(batches)
    const stored = new Set(idsOf(batches))
    expect(idsOf(batches)).toEqual([...stored].toSorted((a, b) => a - b))
    const lost = [...ledger.appended].filter((id) => !stored.has(id) && !ledger.mayBeGone(id))
    expect(lost).toEqual([])
    expect([...stored].filter((id) => !ledger.appending.has(id))).toEqual([])
    expect([...stored].filter((id) => ledger.removed.has(id))).toEqual([])
    expect([...stored].filter((id) => !stored.has(pairOf(id)) && !ledger.mayBeGone(pairOf(id)))).toEqual([])
    for (const id of idsOf(batches).slice(0, -KEPT)) ledger.removed.add(id)
  }
  expect(ledger.appended.size).toBeGreaterThan(kills)
})

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
    printSeedOnFailure()
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
