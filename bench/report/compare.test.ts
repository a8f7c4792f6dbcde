import { expect, test } from 'vitest'
import { testReport, testShape } from '../testing/report.ts'
import { compareReports } from './compare.ts'
import { comparisonText } from './comparison-text.ts'
import { type Figure, FigureSet, type Target, type Unit } from './figures.ts'

/** A report of one figure, a value a round. */
function reportOf(
  values: number[],
  figure: { unit: Unit; target?: Target; name?: string; workload?: string },
) {
  const figures = new FigureSet()
  for (const value of values) figures.add(figure.name ?? 'figure', figure.unit, value, figure.target)
  const shapes = [figures.result('mini', [])]
  return testReport([], { results: [{ workload: figure.workload ?? 'throughput', shapes }] })
}

function verdict(before: number[], after: number[], unit: Unit, target?: Target) {
  const figure = { unit, ...(target ? { target } : {}) }
  return compareReports(reportOf(before, figure), reportOf(after, figure)).changes[0]?.verdict
}

test('ranges that overlap are noise, however far the medians are apart', () => {
  expect(verdict([100, 110, 200], [190, 300, 310], 'readings/s')).toBe('within the noise')
  expect(verdict([100, 110, 120], [120, 300, 310], 'readings/s')).toBe('within the noise')
  expect(verdict([100, 110, 120], [121, 300, 310], 'readings/s')).toBe('better')
})

test('medians that are close are noise, however narrow the ranges; shares may be closer than speeds', () => {
  expect(verdict([100, 100, 100], [110, 110, 110], 'readings/s')).toBe('within the noise')
  expect(verdict([0.5, 0.5, 0.5], [0.55, 0.55, 0.55], 'share')).toBe('changed')
  expect(verdict([0.5, 0.5, 0.5], [0.52, 0.52, 0.52], 'share')).toBe('within the noise')
})

test.each<[Unit, 'better' | 'worse' | 'changed']>([
  ['readings/s', 'better'],
  ['messages/s', 'better'],
  ['ms', 'worse'],
  ['s', 'worse'],
  ['bytes', 'worse'],
  ['MB', 'worse'],
  ['share', 'changed'],
  ['cores', 'changed'],
  ['rows', 'changed'],
])('twice as much in %s is %s', (unit, expected) => {
  expect(verdict([10, 10.1], [20, 20.1], unit)).toBe(expected)
})

test('less is the opposite, and a target says which direction is good', () => {
  expect(verdict([20, 20.1], [10, 10.1], 'ms')).toBe('better')
  expect(verdict([20, 20.1], [10, 10.1], 'readings/s')).toBe('worse')
  expect(verdict([1, 1.01], [2, 2.01], 'share', { atMost: 3 })).toBe('worse')
  expect(verdict([1, 1.01], [2, 2.01], 'share', { atLeast: 3 })).toBe('better')
  expect(verdict([1, 1.01], [2, 2.01], 'rows', { atLeast: 3 })).toBe('better')
})

test('one round has no spread: only a large difference counts', () => {
  expect(verdict([0.5], [0.55, 0.56], 'share')).toBe('within the noise')
  expect(verdict([0.5], [0.6, 0.61], 'share')).toBe('changed')
})

test('a figure that was zero has no relative change', () => {
  expect(verdict([0, 0], [0, 0], 'ms')).toBe('within the noise')
  const before = reportOf([0, 0], { unit: 'ms' })
  const after = reportOf([5, 6], { unit: 'ms' })
  const comparison = compareReports(before, after)
  expect(comparison.changes[0]?.verdict).toBe('worse')
  expect(comparisonText(comparison)).toContain('from zero')
})

test('figures that only one run has are named, not judged; another unit is another figure', () => {
  const before = reportOf([1], { unit: 'ms', name: 'old' })
  const after = reportOf([1], { unit: 'ms', name: 'new' })
  const name = (figure: string) => ({ workload: 'throughput', shape: 'mini', name: figure })
  const comparison = compareReports(before, after)
  expect(comparison).toMatchObject({ changes: [], onlyBefore: [name('old')], onlyAfter: [name('new')] })
  expect(compareReports(before, reportOf([1], { unit: 's', name: 'old' })).changes).toEqual([])
  const none: Figure = { name: 'old', unit: 'ms', values: [] }
  const hollow = testReport([{ shape: 'mini', figures: [none], problems: [] }])
  expect(compareReports(hollow, before)).toMatchObject({ changes: [], onlyAfter: [name('old')] })
})

test('the same run has no doubts and no changes', () => {
  const report = testReport([testShape('mini')])
  const { doubts, changes } = compareReports(report, report)
  expect(doubts).toEqual([])
  expect(changes.map(({ verdict: each }) => each)).toEqual(['within the noise', 'within the noise'])
})

test('another machine, other settings and rounds that do not count make it doubtful', () => {
  const shape = { ...testShape('mini'), problems: ['round 1: 1 row missing'] }
  const before = testReport([testShape('mini')], { changed: true, unfinished: ['growth'] })
  const after = testReport([shape], {
    machine: { ...before.machine, cpus: 8 },
    settings: { ...before.settings, seconds: 1, warmUpSeconds: 0 },
    postgres: {},
    loadAverage: 14.5,
    quick: true,
  })
  expect(compareReports(before, after).doubts).toEqual([
    'machine: cpus was 2, is 8',
    'postgres: fsync was "on", is none',
    'settings: seconds was 10, is 1',
    'settings: warmUpSeconds was none, is 0',
    'The earlier run had changes that are in no commit.',
    'The earlier run ended before growth.',
    'This run was a quick one: its figures say nothing about speed.',
    'This run began on a busy machine: load average 14.5 on 8 CPUs in the minute before.',
    'This run had rounds that do not count.',
  ])
})

test('a machine that is slower without FrostGuard too makes single speeds doubtful', () => {
  const raw = { unit: 'readings/s', name: 'raw COPY', workload: 'limit' } as const
  const { doubts } = compareReports(reportOf([100, 101], raw), reportOf([50, 51], raw))
  expect(doubts).toEqual([expect.stringMatching(/^The machine itself was slower: raw COPY -49.8% \(mini\)/)])
  const ours = { ...raw, workload: 'throughput' }
  expect(compareReports(reportOf([100, 101], ours), reportOf([50, 51], ours)).doubts).toEqual([])
})

test('the terminal names what has changed with both spreads, and the rule', () => {
  const before = reportOf([100_000, 101_000, 102_000], { unit: 'readings/s', name: 'rate' })
  const after = reportOf([200_000, 202_000, 204_000], { unit: 'readings/s', name: 'rate' })
  const text = comparisonText(compareReports(before, after))
  expect(text).toContain(
    'better: throughput, mini: rate: 101,000 (100,000 to 102,000) → 202,000 (200,000 to 204,000) readings/s, +100.0%',
  )
  expect(text).toContain('0 of 1 figures within the noise')
  expect(text).toContain('do not overlap')
})
