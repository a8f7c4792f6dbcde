import { expect, test } from 'vitest'
import type { ReadingInput } from './core/types.ts'
import { BEFORE_ROWS_MAX, type DeviceReader, refold } from './refold.ts'
import { above, every, judgingOf } from './testing/judging.ts'

const INTERVAL_S = 300

/** Reads from these rows, as the database does. */
function readerOf(rows: readonly ReadingInput[]): DeviceReader {
  return {
    before: async (beforeMs, notBeforeMs) =>
      rows.filter(({ atMs }) => atMs < beforeMs && atMs >= notBeforeMs).slice(-BEFORE_ROWS_MAX),
    from: async (fromMs, after, limit) =>
      rows.filter(({ atMs }) => atMs >= fromMs && atMs > (after?.atMs ?? -Infinity)).slice(0, limit),
    isHeld: () => false,
  }
}

test('where a device has been out for more rows than are read, what was found before them is not forgotten', async () => {
  const early = every(INTERVAL_S, [3, 3, 9, 9, 9, 9, 3, 3])
  const out = every(INTERVAL_S, Array<number>(BEFORE_ROWS_MAX).fill(9), early.length * INTERVAL_S)
  const rows = [...early, ...out]
  const lateMs = rows.at(-1)?.atMs ?? 0
  const refolded = await refold(readerOf(rows), judgingOf(above(5, 600)), { fromMs: lateMs, toMs: lateMs })
  expect(refolded.afterMs).toBe(rows.at(-1 - BEFORE_ROWS_MAX)?.atMs)
  expect(refolded.episodes).toMatchObject([{ endedAtMs: null }])
})
