import { FigureSet, type ShapeResult } from '../report/figures.ts'
import { type BenchReport, REPORT_VERSION } from '../report/report.ts'

/** A report as a run writes it, of these shapes of the workload `throughput`. */
export function testReport(shapes: ShapeResult[], other: Partial<BenchReport> = {}): BenchReport {
  return {
    version: REPORT_VERSION,
    startedAt: '2026-11-21T10:00:00.000Z',
    finishedAt: '2026-11-21T10:09:00.000Z',
    quick: false,
    unfinished: [],
    commit: '0123456789abcdef0123456789abcdef01234567',
    changed: false,
    machine: { cpus: 2, cpu: 'Test CPU', memoryMib: 8_192, platform: 'linux x64' },
    versions: { node: '26.10.0' },
    postgres: { fsync: 'on' },
    settings: { rounds: 3, seconds: 10 },
    results: [{ workload: 'throughput', shapes }],
    ...other,
  }
}

/** Figures, plots and a missed target in three rounds. */
export function testShape(name: string): ShapeResult {
  const figures = new FigureSet()
  for (const round of [1, 2, 3]) {
    figures.beginRound(round)
    figures.add('acknowledged and committed', 'readings/s', 90_000 + round * 1_000, { atLeast: 100_000 })
    figures.add('memory of the service', 'MB', 300 + round, { atMost: 400 })
    figures.addSeries({
      plot: 'Throughput',
      name: 'FrostGuard',
      unit: 'readings/s',
      points: [
        [1, 90_000 + round],
        [2, 95_000],
      ],
    })
    figures.addHistogram({
      plot: 'Latency',
      name: 'FrostGuard',
      unit: 'ms',
      percentiles: [
        [0, 1],
        [50, 10],
        [99, 40],
        [100, 80],
      ],
    })
  }
  return figures.result(name, [])
}
