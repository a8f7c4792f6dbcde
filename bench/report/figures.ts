/** A figure of a workload, measured once a round. */
export interface Figure {
  name: string
  unit: Unit
  /** One value a round. */
  values: number[]
  target?: Target
}

export type Unit = 'readings/s' | 'messages/s' | 'share' | 'cores' | 's' | 'ms' | 'bytes' | 'MB' | 'rows'

/** What the median of a figure must reach. */
export type Target = { atLeast: number } | { atMost: number }

/** What a workload has measured for one shape of load. */
export interface ShapeResult {
  shape: string
  figures: Figure[]
  /** Rounds that do not count, and why: a sentence each. */
  problems: string[]
}

export interface WorkloadResult {
  workload: string
  shapes: ShapeResult[]
}

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

/** Gathers figures by name over the rounds, in the order of their first coming. */
export class FigureSet {
  readonly #figures = new Map<string, Figure>()

  /** A value that is undefined (the system does not tell) leaves the figure out. */
  add(name: string, unit: Unit, value: number | undefined, target?: Target): void {
    if (value === undefined) return
    const known = this.#figures.get(name)
    if (known) known.values.push(value)
    else this.#figures.set(name, { name, unit, values: [value], ...(target ? { target } : {}) })
  }

  all(): Figure[] {
    return [...this.#figures.values()]
  }
}
