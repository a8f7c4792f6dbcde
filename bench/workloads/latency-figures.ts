import type { LoadResult } from '../generator/result.ts'
import type { FigureSet, Target } from '../report/figures.ts'

type Measured = LoadResult['measured']
type Percentile = keyof Measured['latencyMs']

export const PERCENTILES: readonly Percentile[] = ['p50', 'p90', 'p99', 'p999', 'max']
const WORDS: Record<Percentile, string> = { p50: 'p50', p90: 'p90', p99: 'p99', p999: 'p99.9', max: 'max' }

/** Some percentiles of a load as figures, and its whole histogram for the report. */
export function addLatency(
  figures: FigureSet,
  name: string,
  options: {
    /** From what to what. */
    span?: string
    percentiles: readonly Percentile[]
    measured: Pick<Measured, 'latencyMs' | 'latencyPercentiles'>
    targets?: Partial<Record<Percentile, Target>>
  },
): void {
  const { span = 'publish to PUBACK', measured } = options
  const { latencyMs, latencyPercentiles } = measured
  for (const percentile of options.percentiles) {
    const words = `${name}: ${span}, ${WORDS[percentile]}`
    figures.add(words, 'ms', latencyMs[percentile], options.targets?.[percentile])
  }
  const plot = `Latency, ${span}`
  figures.addHistogram({ plot, name, unit: 'ms', percentiles: latencyPercentiles })
}
