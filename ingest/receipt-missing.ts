/** Counters from the first to the second, both included. */
export type Run = [from: number, to: number]

/** What a receipt lists as missing: single counters, and runs as `[from, to]`. */
export type MissingList = (number | Run)[]

/** A longer run is listed as a pair. */
const SINGLE_COUNTERS_MAX = 100
/** Entries of a list. */
const ENTRIES_MAX = 1_000
/** Runs that are kept of one boot; above it the oldest are drawn together. */
const RUNS_MAX = 1_000

/** Adds a run above all others. */
export function addRun(runs: Run[], run: Run): void {
  runs.push(run)
  drawTogether(runs)
}

/** Takes one counter out, wherever it is. */
export function removeCounter(runs: Run[], counter: number): void {
  const index = runs.findLastIndex(([from]) => from <= counter)
  const run = runs[index]
  if (!run || run[1] < counter) return
  const [from, to] = run
  const left: Run[] = []
  if (from < counter) left.push([from, counter - 1])
  if (counter < to) left.push([counter + 1, to])
  runs.splice(index, 1, ...left)
  drawTogether(runs)
}

/**
 * The runs as a receipt lists them, in ascending order. Where that would be more than `ENTRIES_MAX` entries, the
 * oldest become one pair: it spans counters that are durable too, but leaves out none that is missing.
 */
export function listMissing(runs: readonly Run[]): MissingList {
  const oldest = runs[0]
  const groups: MissingList[] = []
  let room = ENTRIES_MAX
  for (let index = runs.length - 1; oldest && index >= 0; index--) {
    const [from, to] = runs[index] ?? oldest
    const entries = to - from < SINGLE_COUNTERS_MAX ? to - from + 1 : 1
    // One entry stays free for what is older.
    if (entries > room - Math.sign(index)) {
      groups.push([[oldest[0], to]])
      break
    }
    room -= entries
    groups.push(
      entries === 1 && to > from ? [[from, to]] : Array.from({ length: entries }, (_, n) => from + n),
    )
  }
  return groups.reverse().flat(1) as MissingList
}

function drawTogether(runs: Run[]): void {
  while (runs.length > RUNS_MAX) {
    const [first, second] = runs
    if (!first || !second) return
    runs.splice(0, 2, [first[0], second[1]])
  }
}
