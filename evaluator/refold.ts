import type { DeviceState, Judging } from './core/device.ts'
import { fold } from './core/fold.ts'
import type { Episode, ReadingInput } from './core/types.ts'

/** Reads the rows of one device in its unit, in order of evaluation. */
export interface DeviceReader {
  /** The last `BEFORE_ROWS_MAX` before one evaluation time, and not before another. */
  before(beforeMs: number, notBeforeMs: number): Promise<ReadingInput[]>
  /** From an evaluation time on, behind `after` if given; fewer than `limit`: there are no more. */
  from(fromMs: number, after: ReadingInput | undefined, limit: number): Promise<ReadingInput[]>
  /** Whether a row is stored, but still to be judged in its turn. */
  isHeld(row: ReadingInput): boolean
}

export interface Refolded {
  /** Undefined: the state that was there before holds, because what came late does not matter that far on. */
  state: DeviceState | undefined
  /** Those that were triggered after `afterMs`, up to `toMs`. They take the place of all that were known to. */
  episodes: Episode[]
  afterMs: number
  toMs: number
}

/** Backwards in steps of so many reporting intervals, until a renewal point is found; then to the beginning. */
const BACK_INTERVALS = [64, 512, 4_096, 32_768] as const
/** More rows before a late one are not looked at: episodes of before stay as they were found. */
export const BEFORE_ROWS_MAX = 100_000
const FORWARD_ROWS = 2_000
const INTERVAL_MS_DEFAULT = 300_000

/**
 * Folds a device again over its rows: from the renewal point before the late ones to the first one that they cannot reach, or
 * to its newest row.
 */
export async function refold(
  read: DeviceReader,
  judging: Judging,
  late: { fromMs: number; toMs: number },
): Promise<Refolded> {
  const { rows, renewedAtMs } = await rowsBefore(read, judging, late.fromMs)
  let limit = FORWARD_ROWS
  let last: ReadingInput | undefined
  for (;;) {
    const page = await read.from(late.fromMs, last, limit)
    rows.push(...page.filter((row) => !read.isHeld(row)))
    last = page.at(-1) ?? last
    const settledAtMs = page.length < limit ? Infinity : settledAt(rows, judging, late.toMs)
    if (settledAtMs !== undefined) {
      const { state, episodes } = fold(rows, judging)
      return {
        state: settledAtMs === Infinity ? state : undefined,
        episodes: episodes.filter(
          ({ triggeredAtMs }) => triggeredAtMs > renewedAtMs && triggeredAtMs <= settledAtMs,
        ),
        afterMs: renewedAtMs,
        toMs: settledAtMs,
      }
    }
    limit *= 2
  }
}

/** Where the rows behind the late ones are enough to tell the state. */
function settledAt(rows: readonly ReadingInput[], judging: Judging, lateToMs: number): number | undefined {
  const behind = rows.filter(({ atMs }) => atMs > lateToMs)
  return fold(behind, judging).renewals[0]
}

/** Rows before a time that hold a renewal point; where there is none, all there are, or as many as are looked at. */
async function rowsBefore(
  read: DeviceReader,
  judging: Judging,
  beforeMs: number,
): Promise<{ rows: ReadingInput[]; renewedAtMs: number }> {
  const intervalMs =
    judging.device.intervalMs.findLast(({ fromMs }) => fromMs <= beforeMs)?.value ?? INTERVAL_MS_DEFAULT
  for (const intervals of BACK_INTERVALS) {
    const rows = await read.before(beforeMs, beforeMs - intervals * intervalMs)
    const renewedAtMs = fold(rows, judging).renewals.at(-1)
    if (renewedAtMs !== undefined) return { rows, renewedAtMs }
  }
  const rows = await read.before(beforeMs, -Infinity)
  const [first] = rows
  return { rows, renewedAtMs: first && rows.length >= BEFORE_ROWS_MAX ? first.atMs : -Infinity }
}
