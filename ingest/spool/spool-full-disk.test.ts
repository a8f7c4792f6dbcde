import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { until } from '../../db/testing/poll.ts'
import { NEEDS_MOUNT } from '../../db/testing/small-disk.ts'
import { SpoolFailedError, SpoolFullError } from './errors.ts'
import { SpoolFile } from './spool-file.ts'
import { testBatch, testEncodedBatch } from './testing/batches.ts'
import { mountSpoolDisk, type SpoolDisk } from './testing/spool-disk.ts'
import { EVERYTHING, idsIn, MIB, openTestSpool } from './testing/spools.ts'
import type { Spool } from './types.ts'

const SIZES = { messages: 1, payloadBytes: 100_000 }

async function smallDisk({ skip }: TestContext, sizeMib: number): Promise<SpoolDisk> {
  return (await mountSpoolDisk(sizeMib)) ?? skip(NEEDS_MOUNT)
}

/** Appends until there is no room; returns the ids that were kept, and why no more. */
async function fillUp(spool: Spool): Promise<{ kept: number[]; error: unknown }> {
  const kept: number[] = []
  for (let id = 1; ; id++) {
    try {
      await spool.append([testBatch(id, SIZES)])
      kept.push(id)
    } catch (error) {
      return { kept, error }
    }
  }
}

test('an append for which the disk has no room is refused, and taken when there is room again', async (context) => {
  const disk = await smallDisk(context, 4)
  const spool = await openTestSpool(disk.folder)
  const { kept, error } = await fillUp(spool)
  expect(error).toBeInstanceOf(SpoolFullError)
  expect(kept.length).toBeGreaterThan(5)
  expect([spool.state, spool.reason]).toEqual([
    'full',
    expect.stringMatching(/disk .* has no room .*Free some space/),
  ])
  expect(await idsIn(spool)).toEqual(kept)
  await spool.remove(await spool.oldest({ batches: 8, bytes: MIB }))
  expect(spool.state).toBe('ready')
  await spool.append([testBatch(99, SIZES)])
  expect(await idsIn(spool)).toEqual([...kept.slice(8), 99])

  await disk.fill(0)
  await expect(spool.append([testBatch(100, SIZES)])).rejects.toThrow(SpoolFullError)
  expect(spool.state).toBe('full')
  await disk.free()
  await spool.append([testBatch(101, SIZES)])
  expect(spool.state).toBe('ready')
  await spool.close()
  expect(await idsIn(await openTestSpool(disk.folder))).toEqual([...kept.slice(8), 99, 101])
})

test('it finds by itself that the disk has room again', async (context) => {
  const disk = await smallDisk(context, 4)
  const spool = await openTestSpool(disk.folder)
  await disk.fill(0)
  await expect(spool.append([testBatch(1, SIZES)])).rejects.toThrow(SpoolFullError)
  expect(spool.state).toBe('full')
  await disk.free()
  await until('the spool is ready again', () => spool.state === 'ready')
  expect(spool.reason).toBeUndefined()
})

test('a spool on a full disk can be opened, read and drained', async (context) => {
  const disk = await smallDisk(context, 4)
  const spool = await openTestSpool(disk.folder)
  const { kept } = await fillUp(spool)
  await spool.close()
  await disk.fill(0)
  const again = await openTestSpool(disk.folder)
  for (let left = kept.length; left > 0; left -= 1) {
    expect(await idsIn(again)).toEqual(kept.slice(-left))
    await again.remove(await again.oldest({ batches: 1, bytes: MIB }))
  }
  expect(again.stats).toMatchObject({ batches: 0, messages: 0, oldestReceivedAtMs: null })
})

test('where no spool can be made, opening it says why', async (context) => {
  const disk = await smallDisk(context, 4)
  await disk.fill(0)
  const opening = openTestSpool(disk.folder)
  await expect(opening).rejects.toThrow(SpoolFailedError)
  await expect(opening).rejects.toThrow(/cannot be opened: .*that the disk has room/)
  await disk.free()
  expect(await idsIn(await openTestSpool(disk.folder))).toEqual([])
})

/** The file without the look at the room left, as when another program takes the room in that moment. */
function openUnawares(disk: SpoolDisk): SpoolFile {
  const file = join(disk.folder, 'spool.db')
  const spool = new SpoolFile({ file, bytesMax: 256 * MIB, freeBytes: () => Number.POSITIVE_INFINITY })
  onTestFinished(() => spool.close())
  return spool
}

const idsOf = (file: SpoolFile) => file.oldest(EVERYTHING).map(({ id }) => Number(id))

/** Appends until SQLite has no room. */
function fillUnawares(file: SpoolFile): number[] {
  const kept: number[] = []
  for (let id = 1; ; id++) {
    const [refusal] = file.append([[testEncodedBatch(id, SIZES)]])
    if (refusal !== null) return kept
    kept.push(id)
  }
}

test('when the disk fills up in the middle of a write, nothing of it is kept, and all before it is', async (context) => {
  const disk = await smallDisk(context, 4)
  const file = openUnawares(disk)
  const tooLarge = testEncodedBatch(97, { messages: 1, payloadBytes: 5 * MIB })
  expect(file.append([[testEncodedBatch(96)], [tooLarge]])).toEqual([
    expect.stringMatching(/no room/),
    expect.stringMatching(/no room/),
  ])
  const kept = fillUnawares(file)
  expect(kept.length).toBeGreaterThan(5)
  expect(file.report().trouble).toEqual({ state: 'full', reason: expect.stringMatching(/no room/) })
  expect(idsOf(file)).toEqual(kept)
  expect(file.append([[testEncodedBatch(98, SIZES)], [testEncodedBatch(99, SIZES)]])).toEqual([
    expect.stringMatching(/no room/),
    expect.stringMatching(/no room/),
  ])
  expect(file.report().stats).toMatchObject({ batches: kept.length, messages: kept.length })
})

test('what the full disk does not take of a removal is passed over, and deleted when it does', async (context) => {
  const disk = await smallDisk(context, 12)
  await disk.fill(6 * MIB)
  const file = openUnawares(disk)
  const kept = fillUnawares(file)
  await disk.fill(0)
  for (const [index, batch] of file.oldest(EVERYTHING).entries()) {
    file.remove([batch])
    expect(idsOf(file)).toEqual(kept.slice(index + 1))
  }
  expect(file.report()).toMatchObject({
    stats: { batches: 0, oldestReceivedAtMs: null },
    trouble: { state: 'full' },
  })
  expect(file.isUntidy).toBe(true)

  await disk.free()
  file.tidy()
  expect(file.report().trouble).toBeUndefined()
  expect(file.isUntidy).toBe(false)
  const sizes = (await readdir(disk.folder)).map(async (name) => (await stat(join(disk.folder, name))).size)
  expect((await Promise.all(sizes)).reduce((sum, size) => sum + size)).toBeLessThan(4 * MIB)
  expect(file.append([[testEncodedBatch(1_000, SIZES)]])).toEqual([null])
  expect(idsOf(file)).toEqual([1_000])
})
