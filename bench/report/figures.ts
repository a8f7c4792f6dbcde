import { z } from 'zod'

const UNITS = [
  'readings/s',
  'messages/s',
  'share',
  'cores',
  's',
  'ms',
  'bytes',
  'MB',
  'rows',
  'devices',
] as const
const unit = z.enum(UNITS)
export type Unit = z.output<typeof unit>

/** What the median of a figure must reach. */
const target = z.union([z.object({ atLeast: z.number() }), z.object({ atMost: z.number() })])
export type Target = z.output<typeof target>

/** A figure of a workload, measured once a round. */
const figure = z.object({
  name: z.string(),
  unit,
  /** One value a round. */
  values: z.array(z.number()),
  target: target.optional(),
})
export type Figure = z.output<typeof figure>

const point = z.tuple([z.number(), z.number()])

/** A line of a plot: how something went on. The lines with the same `plot` are drawn into one. */
const series = z.object({
  /** Title of the plot: what its y axis is. */
  plot: z.string(),
  /** What the line is of. Lines with one name are rounds of the same. */
  name: z.string(),
  unit,
  /** What the x axis is; absent: seconds since the measurement began. */
  x: z.object({ name: z.string(), unit }).optional(),
  round: z.number(),
  /** x and y, by x. */
  points: z.array(point),
})
export type Series = z.output<typeof series>

/** How values were distributed. Those with the same `plot` are drawn into one. */
const histogram = z.object({
  plot: z.string(),
  name: z.string(),
  unit,
  round: z.number(),
  /** Percentile, from 0 to 100, and the value that so many of all do not exceed. */
  percentiles: z.array(point),
})
export type Histogram = z.output<typeof histogram>

/** What a workload has measured for one shape of load. */
const shapeResult = z.object({
  shape: z.string(),
  figures: z.array(figure),
  /** Rounds that do not count, and why: a sentence each. */
  problems: z.array(z.string()),
  /** What the report plots. */
  series: z.array(series).optional(),
  histograms: z.array(histogram).optional(),
})
export type ShapeResult = z.output<typeof shapeResult>

export const workloadResult = z.object({ workload: z.string(), shapes: z.array(shapeResult) })
export type WorkloadResult = z.output<typeof workloadResult>

/** The middle of the values; of an even number of them the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2
}

/** Whether the median reaches the target; undefined where there is none. */
export function isReached({ values, target }: Figure): boolean | undefined {
  if (!target) return undefined
  return 'atLeast' in target ? median(values) >= target.atLeast : median(values) <= target.atMost
}

/**
 * Gathers figures by name over the rounds, in the order of their first coming, and what is plotted of them.
 */
export class FigureSet {
  readonly #figures = new Map<string, Figure>()
  readonly #series: Series[] = []
  readonly #histograms: Histogram[] = []
  #round = 1

  /** From here on, what is plotted belongs to this round, the first of which is 1. */
  beginRound(round: number): void {
    this.#round = round
  }

  /** A value that is undefined (the system does not tell) leaves the figure out. */
  add(name: string, unit: Unit, value: number | undefined, target?: Target): void {
    if (value === undefined) return
    const known = this.#figures.get(name)
    if (known) known.values.push(value)
    else this.#figures.set(name, { name, unit, values: [value], ...(target ? { target } : {}) })
  }

  /** A line of a plot, of this round. One without points is left out. */
  addSeries(series: Omit<Series, 'round'>): void {
    if (series.points.length > 0) this.#series.push({ ...series, round: this.#round })
  }

  /** A distribution of this round. One without percentiles is left out. */
  addHistogram(histogram: Omit<Histogram, 'round'>): void {
    if (histogram.percentiles.length > 0) this.#histograms.push({ ...histogram, round: this.#round })
  }

  all(): Figure[] {
    return [...this.#figures.values()]
  }

  /** All of it, as the result of a shape. */
  result(shape: string, problems: string[]): ShapeResult {
    return {
      shape,
      figures: this.all(),
      problems,
      ...(this.#series.length > 0 ? { series: [...this.#series] } : {}),
      ...(this.#histograms.length > 0 ? { histograms: [...this.#histograms] } : {}),
    }
  }
}
