import { type Figure, median, type Unit } from './figures.ts'
import { changeText } from './format.ts'
import { type BenchReport, isBusy } from './report.ts'

/** What a change of a figure means; `changed` where neither direction is better. */
type Verdict = 'better' | 'worse' | 'changed' | 'within the noise'

export interface Spread {
  lowest: number
  median: number
  highest: number
  rounds: number
}

interface FigureName {
  workload: string
  shape: string
  name: string
}

export interface Change extends FigureName {
  unit: Unit
  before: Spread
  after: Spread
  /** Of the medians, relative to the earlier one. */
  change: number
  verdict: Verdict
}

export interface Comparison {
  /** What it is compared with. */
  before: Pick<BenchReport, 'commit' | 'changed' | 'startedAt'>
  /** Why it may not be the code that made the difference: a sentence each. */
  doubts: string[]
  changes: Change[]
  /** Figures that only one of the two has. */
  onlyBefore: FigureName[]
  onlyAfter: FigureName[]
}

/**
 * By how much medians must differ to be more than noise, relative to the earlier one. Shares were measured against
 * something else in the same minute, and bytes do not depend on the machine; single speeds swing with it.
 */
const NOISE: Record<Unit, number> = {
  'readings/s': 0.15,
  'messages/s': 0.15,
  share: 0.05,
  cores: 0.15,
  s: 0.15,
  ms: 0.25,
  bytes: 0.02,
  MB: 0.1,
  rows: 0.15,
  devices: 0,
}
/** One round has no spread to look at: its median must differ by so many times as much. */
const ONE_ROUND_FACTOR = 3

/** Which direction is good where no target says so. */
const GOOD: Record<Unit, 'more' | 'less' | undefined> = {
  'readings/s': 'more',
  'messages/s': 'more',
  // Of a limit it should be large, of a time without load it should be small.
  share: undefined,
  cores: undefined,
  s: 'less',
  ms: 'less',
  bytes: 'less',
  MB: 'less',
  rows: undefined,
  devices: undefined,
}

/** The rule by which figures are judged, for whoever reads the comparison. */
export const RULE =
  'A figure has changed when the ranges of its rounds do not overlap and the medians differ by more than ' +
  `${percent(NOISE.share)} (shares), ${percent(NOISE.bytes)} (bytes), ${percent(NOISE.MB)} (memory), ` +
  `${percent(NOISE.ms)} (milliseconds) or ${percent(NOISE['readings/s'])} (all else); with a single round on either side, by ` +
  `${ONE_ROUND_FACTOR} times that. Shares are of the same minute: trust them before single speeds. Of many figures a few ` +
  'pass by chance: measure again before you believe one alone.'

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** What has changed from an earlier run to this one, beyond the noise. */
export function compareReports(before: BenchReport, after: BenchReport): Comparison {
  const earlier = figuresOf(before)
  const later = figuresOf(after)
  const changes = [...later].flatMap(([key, now]) => {
    const then = earlier.get(key)
    return then ? [changeOf(then.figure, now)] : []
  })
  const without = (all: typeof later, other: typeof later) =>
    [...all].filter(([key]) => !other.has(key)).map(([, { figure: _, ...name }]) => name)
  const { commit, changed, startedAt } = before
  return {
    before: { commit, changed, startedAt },
    doubts: [...environmentDoubts(before, after), ...runDoubts(before, after), ...machineDoubts(changes)],
    changes,
    onlyBefore: without(earlier, later),
    onlyAfter: without(later, earlier),
  }
}

function figuresOf({ results }: BenchReport): Map<string, FigureName & { figure: Figure }> {
  const found = results.flatMap(({ workload, shapes }) =>
    shapes.flatMap(({ shape, figures }) =>
      figures
        .filter(({ values }) => values.length > 0)
        .map((figure) => ({ workload, shape, name: figure.name, figure })),
    ),
  )
  // A figure that is measured in another unit now is another figure.
  return new Map(
    found.map((entry) => [
      JSON.stringify([entry.workload, entry.shape, entry.name, entry.figure.unit]),
      entry,
    ]),
  )
}

function changeOf(then: Figure, { figure, ...name }: FigureName & { figure: Figure }): Change {
  const before = spreadOf(then)
  const after = spreadOf(figure)
  const difference = after.median - before.median
  const change = difference === 0 ? 0 : difference / Math.abs(before.median)
  return {
    ...name,
    unit: figure.unit,
    before,
    after,
    change,
    verdict: verdictOf(figure, { before, after, change }),
  }
}

function spreadOf({ values }: Figure): Spread {
  return {
    lowest: Math.min(...values),
    median: median(values),
    highest: Math.max(...values),
    rounds: values.length,
  }
}

function verdictOf(
  figure: Figure,
  { before, after, change }: Pick<Change, 'before' | 'after' | 'change'>,
): Verdict {
  const factor = Math.min(before.rounds, after.rounds) > 1 ? 1 : ONE_ROUND_FACTOR
  const overlap = before.lowest <= after.highest && after.lowest <= before.highest
  if (overlap || Math.abs(change) <= NOISE[figure.unit] * factor) return 'within the noise'
  const good = goodDirection(figure)
  if (good === undefined) return 'changed'
  return change > 0 === (good === 'more') ? 'better' : 'worse'
}

function goodDirection({ target, unit }: Figure): 'more' | 'less' | undefined {
  if (!target) return GOOD[unit]
  return 'atLeast' in target ? 'more' : 'less'
}

function environmentDoubts(before: BenchReport, after: BenchReport): string[] {
  return (['machine', 'versions', 'postgres', 'settings'] as const).flatMap((part) =>
    differences(part, before[part], after[part]),
  )
}

function differences(
  part: string,
  before: Record<string, unknown>,
  after: Record<string, unknown>,
): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  const text = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value))
  return [...names]
    .filter((name) => text(before[name]) !== text(after[name]))
    .map((name) => `${part}: ${name} was ${text(before[name])}, is ${text(after[name])}`)
}

function runDoubts(before: BenchReport, after: BenchReport): string[] {
  return [
    { when: 'The earlier run', report: before },
    { when: 'This run', report: after },
  ].flatMap(({ when, report }) => {
    const { quick, changed, unfinished, results, machine, loadAverage } = report
    const problems = results.flatMap(({ shapes }) => shapes.flatMap((shape) => shape.problems)).length
    return [
      ...(quick ? [`${when} was a quick one: its figures say nothing about speed.`] : []),
      ...(isBusy(report)
        ? [
            `${when} began on a busy machine: load average ${loadAverage} on ${machine.cpus} CPUs in the minute before.`,
          ]
        : []),
      ...(changed ? [`${when} had changes that are in no commit.`] : []),
      ...(unfinished.length > 0 ? [`${when} ended before ${unfinished.join(', ')}.`] : []),
      ...(problems > 0 ? [`${when} had rounds that do not count.`] : []),
    ]
  })
}

/** `limit` measures the machine without FrostGuard. */
function machineDoubts(changes: readonly Change[]): string[] {
  return changes
    .filter(
      ({ workload, unit, verdict }) =>
        workload === 'limit' && unit === 'readings/s' && verdict !== 'within the noise',
    )
    .map(
      ({ shape, name, change }) =>
        `The machine itself was ${change > 0 ? 'faster' : 'slower'}: ${name} ${changeText(change)} (${shape}). Look at the shares.`,
    )
}
