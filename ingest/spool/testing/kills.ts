import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFailed } from 'vitest'
import { Random } from '../../../simulators/random.ts'
import type { Spool, SpooledBatch } from '../types.ts'
import { isTestBatch } from './batches.ts'
import { EVERYTHING, openTestSpool, testFolder } from './spools.ts'
import { type Appender, startAppender } from './start-appender.ts'

const KEPT = 30
/** As the appender makes them. */
export const SIZES = { messages: 50, payloadBytes: 1_000 }

export function printSeedOnFailure(seed: number): void {
  onTestFailed(() => void process.stderr.write(`SPOOL_SEED=${seed}\n`))
}

/** Opens the spool, hands over what is in it, and closes it again. */
export async function contentOf(
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

export function idsOf(batches: readonly SpooledBatch[]): number[] {
  return batches.map(({ id }) => Number(id))
}

/** The batch that was appended together with this one: 1 with 2, 3 with 4. */
function pairOf(id: number): number {
  return id % 2 === 0 ? id - 1 : id + 1
}

export function expectWhole(batches: readonly SpooledBatch[]): void {
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

/** What was appended is there after so many kills -9 at random moments, whole and in order. */
export async function expectNothingLost({ kills, seed }: { kills: number; seed: number }): Promise<void> {
  printSeedOnFailure(seed)
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
}
