import type { Metric, Registry } from 'prom-client'

interface PlainHistogramOptions {
  name: string
  help: string
  /** Upper bounds, ascending. */
  buckets: readonly number[]
  register: Registry
}

/**
 * A histogram without labels, shown as prom-client shows its own. For what is observed a hundred thousand times a second: that one
 * makes several objects each time.
 */
export class PlainHistogram {
  readonly #bounds: readonly number[]
  /** Of each bucket alone, and of what is above them all. */
  readonly #counts: Float64Array
  #sum = 0

  constructor({ name, help, buckets, register }: PlainHistogramOptions) {
    this.#bounds = buckets
    this.#counts = new Float64Array(buckets.length + 1)
    const get = () =>
      Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values: this.#values(name) })
    // All that a registry asks of a metric.
    register.registerMetric({ name, get } as unknown as Metric)
  }

  observe(value: number): void {
    let bucket = 0
    // Few bounds, and most values are below the middle: a loop is faster than halving.
    while (value > (this.#bounds[bucket] ?? Infinity)) bucket += 1
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += value
  }

  #values(name: string): { metricName: string; labels: Record<string, number | string>; value: number }[] {
    let count = 0
    const buckets = [...this.#bounds, '+Inf'].map((le, bucket) => {
      count += this.#counts[bucket] ?? 0
      return { metricName: `${name}_bucket`, labels: { le }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: {}, value: this.#sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ]
  }
}
