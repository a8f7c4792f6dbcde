import type { ServiceMeasurement } from '../measurements/service.ts'
import type { FigureSet, Series } from '../report/figures.ts'

const BYTES_PER_MB = 1e6

/** What the report plots of a load on FrostGuard, beside the figures of `throughput`. */
export function addServicePlots(
  figures: FigureSet,
  { readingsPerMessage }: { readingsPerMessage: number },
  { load, usage, copies }: Pick<ServiceMeasurement, 'load' | 'usage' | 'copies'>,
): void {
  const { eachSecond, latencyPercentiles } = load.measured
  figures.addSeries({
    plot: 'Throughput',
    name: 'FrostGuard',
    unit: 'readings/s',
    points: eachSecond.map((messages, index) => [index + 1, messages * readingsPerMessage]),
  })
  figures.addHistogram({
    plot: 'Latency, publish to PUBACK',
    name: 'FrostGuard',
    unit: 'ms',
    percentiles: latencyPercentiles,
  })
  addCopies(figures, copies)
  for (const [side, points] of Object.entries(usage.coresOverTime)) {
    figures.addSeries({ plot: 'CPU', name: side, unit: 'cores', points })
  }
  const megabytes = usage.residentBytesOverTime.map<[number, number]>(([seconds, bytes]) => [
    seconds,
    bytes / BYTES_PER_MB,
  ])
  figures.addSeries({ plot: 'Memory', name: 'service', unit: 'MB', points: megabytes })
}

const SINCE_FIRST_COPY: Series['x'] = { name: 'since the first COPY', unit: 's' }

function addCopies(figures: FigureSet, { rowsOverTime, percentiles }: ServiceMeasurement['copies']): void {
  const line = { name: 'FrostGuard', unit: 'rows' } as const
  figures.addSeries({ ...line, plot: 'Rows in a COPY', x: SINCE_FIRST_COPY, points: rowsOverTime })
  figures.addHistogram({ ...line, plot: 'Rows in a COPY, distribution', percentiles })
}

/** A level that something else reached on average, beside the line of FrostGuard. */
export function addThroughputLevel(
  figures: FigureSet,
  level: { name: string; readingsPerSecond: number; seconds: number },
): void {
  const { name, readingsPerSecond, seconds } = level
  figures.addSeries({
    plot: 'Throughput',
    name: `${name}, on average`,
    unit: 'readings/s',
    points: [
      [0, readingsPerSecond],
      [seconds, readingsPerSecond],
    ],
  })
}
