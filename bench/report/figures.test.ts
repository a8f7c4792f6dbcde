import { expect, test } from 'vitest'
import { FigureSet, workloadResult } from './figures.ts'

const points = (...values: number[]): [number, number][] => values.map((value, index) => [index + 1, value])

test('what is plotted carries its round, and nothing is plotted of nothing', () => {
  const figures = new FigureSet()
  for (const round of [1, 2]) {
    figures.beginRound(round)
    figures.add('rate', 'readings/s', round * 10)
    figures.addSeries({ plot: 'Rate', name: 'FrostGuard', unit: 'readings/s', points: points(round) })
    figures.addSeries({ plot: 'Rate', name: 'silent', unit: 'readings/s', points: [] })
    figures.addHistogram({ plot: 'Latency', name: 'PUBACK', unit: 'ms', percentiles: points(round) })
    figures.addHistogram({ plot: 'Latency', name: 'silent', unit: 'ms', percentiles: [] })
  }
  const result = figures.result('mini', [])
  expect(result.figures).toEqual([{ name: 'rate', unit: 'readings/s', values: [10, 20] }])
  expect(result.series?.map(({ name, round, points }) => [name, round, points])).toEqual([
    ['FrostGuard', 1, [[1, 1]]],
    ['FrostGuard', 2, [[1, 2]]],
  ])
  expect(result.histograms?.map(({ name, round }) => [name, round])).toEqual([
    ['PUBACK', 1],
    ['PUBACK', 2],
  ])
})

test('a result is the same after it was written and read', () => {
  const figures = new FigureSet()
  figures.add('rate', 'readings/s', 10, { atLeast: 5 })
  figures.addSeries({
    plot: 'Memory',
    name: 'service',
    unit: 'MB',
    x: { name: 'rows stored', unit: 'rows' },
    points: points(1, 2),
  })
  figures.addHistogram({ plot: 'Latency', name: 'PUBACK', unit: 'ms', percentiles: points(1, 2) })
  const result = { workload: 'mixed', shapes: [figures.result('mini', ['round 1: no'])] }
  expect(workloadResult.parse(JSON.parse(JSON.stringify(result)))).toEqual(result)
})
