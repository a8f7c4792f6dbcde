import { setImmediate as breathe } from 'node:timers/promises'
import type { DeviceState, Judging } from './core/device.ts'
import { Folding } from './core/fold.ts'
import type { Episode, ReadingInput } from './core/types.ts'
import type { Late } from './unit-context.ts'

/** Evaluation times; the end is not in it. */
interface Span {
  fromMs: number
  toMs: number
}

/** Reads the rows of one device in its unit. */
export interface DeviceReader {
  /** The evaluation time of the row that is so many before one evaluation time; undefined: there are not so many. */
  timeOfLast(count: number, beforeMs: number): Promise<number | undefined>
  /** In order of evaluation, a page at a time, so that nobody holds them all. */
  pages(span: Span): AsyncIterable<readonly ReadingInput[]>
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
export const BACK_INTERVALS_FIRST = 8
const BACK_INTERVALS = [BACK_INTERVALS_FIRST, 64, 512, 4_096, 32_768] as const
/** More rows before a late one are not looked at: episodes of before stay as they were found. */
export const BEFORE_ROWS_MAX = 100_000
const INTERVAL_MS_DEFAULT = 300_000
/** Rows that are folded before others get their turn. */
const ROWS_AT_ONCE = 500

/**
 * Folds a device again over its rows: from the renewal point before the late ones to the first one that they cannot reach, or
 * to its newest row. `judgedToMs`: how far the state that was there before reaches.
 */
export async function refold(
  read: DeviceReader,
  judging: Judging,
  { late, judgedToMs }: { late: Late; judgedToMs: number },
): Promise<Refolded> {
  const { folding, renewedAtMs } = await foldedBefore(read, judging, late.fromMs)
  // Where the rows behind the late ones are enough to tell the state.
  const behind = new Folding(judging)
  for await (const slice of inSlices(read.pages({ fromMs: late.fromMs, toMs: Infinity }))) {
    for (const row of slice) {
      if (read.isHeld(row)) continue
      if (row.atMs > late.toMs) behind.add(row)
      const settledMs = behind.firstRenewalMs
      if (settledMs !== undefined && settledMs <= judgedToMs) {
        // Nothing is raised or pending there.
        return { state: undefined, ...between(folding.end().episodes, renewedAtMs, settledMs) }
      }
      folding.add(row)
    }
  }
  const { state, episodes } = folding.end()
  return { state, ...between(episodes, renewedAtMs, Infinity) }
}

function between(episodes: readonly Episode[], afterMs: number, toMs: number): Omit<Refolded, 'state'> {
  const isThen = ({ triggeredAtMs }: Episode) => triggeredAtMs > afterMs && triggeredAtMs <= toMs
  return { episodes: episodes.filter(isThen), afterMs, toMs }
}

interface Before {
  folding: Folding
  /** What triggers later is true. */
  renewedAtMs: number
}

/** Rows before a time that hold a renewal point; where there is none, all there are, or as many as are looked at. */
async function foldedBefore(read: DeviceReader, judging: Judging, beforeMs: number): Promise<Before> {
  const intervalMs = intervalAt(judging, beforeMs)
  for (const intervals of BACK_INTERVALS) {
    const folding = new Folding(judging)
    const isWhole = await addRows(folding, read, {
      fromMs: beforeMs - intervals * intervalMs,
      toMs: beforeMs,
    })
    if (!isWhole) break
    if (folding.lastRenewalMs !== undefined) return { folding, renewedAtMs: folding.lastRenewalMs }
  }
  const folding = new Folding(judging)
  const fromMs = (await read.timeOfLast(BEFORE_ROWS_MAX, beforeMs)) ?? -Infinity
  await addRows(folding, read, { fromMs, toMs: beforeMs }, Infinity)
  return { folding, renewedAtMs: folding.lastRenewalMs ?? fromMs }
}

/** Check-ins whose time is asked for at first. */
const PAGE_INTERVALS = 2_000

/** The time that the first page of a device's rows asks for. */
export function pageMsAt(judging: Judging, atMs: number): number {
  return PAGE_INTERVALS * intervalAt(judging, atMs)
}

export function intervalAt({ device }: Judging, atMs: number): number {
  return device.intervalMs.findLast(({ fromMs }) => fromMs <= atMs)?.value ?? INTERVAL_MS_DEFAULT
}

/** False: there are more rows than are looked at. */
async function addRows(
  folding: Folding,
  read: DeviceReader,
  span: Span,
  rowsMax = BEFORE_ROWS_MAX,
): Promise<boolean> {
  let rows = 0
  for await (const slice of inSlices(read.pages(span))) {
    rows += slice.length
    if (rows > rowsMax) return false
    for (const row of slice) folding.add(row)
  }
  return true
}

/** Others get their turn between two of them. */
async function* inSlices(
  pages: AsyncIterable<readonly ReadingInput[]>,
): AsyncGenerator<readonly ReadingInput[]> {
  for await (const page of pages) {
    for (let start = 0; start < page.length; start += ROWS_AT_ONCE) {
      if (start > 0) await breathe()
      yield page.slice(start, start + ROWS_AT_ONCE)
    }
  }
}
