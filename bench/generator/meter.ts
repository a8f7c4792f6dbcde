import { createHistogram } from 'node:perf_hooks'
import { type LoadResult, latencyOf, percentilesOf } from './result.ts'

const NS_PER_MS = 1e6
const US_PER_SECOND = 1e6

type Measured = LoadResult['measured']

/** Counts acknowledgements, and measures them between `begin` and `end`. */
export class Meter {
  acknowledged = 0
  /** Readings and door events in the acknowledged messages. */
  acknowledgedItems = 0
  readonly #histogram = createHistogram()
  readonly #eachSecond: number[] = []
  #acknowledgedBefore = 0
  #itemsBefore = 0
  #beganAtMs = Number.POSITIVE_INFINITY
  #endedAtMs = Number.POSITIVE_INFINITY
  #cpuBefore = process.cpuUsage()
  #atLastTick = 0
  #timer: NodeJS.Timeout | undefined

  /**
   * One message. The latency of those that were due between begin and end is measured, however late they are
   * acknowledged: to leave out the last ones would leave out the slowest.
   */
  count(dueAtMs: number, nowMs: number, items: number): void {
    this.acknowledged++
    this.acknowledgedItems += items
    if (dueAtMs < this.#beganAtMs || dueAtMs >= this.#endedAtMs) return
    // A histogram takes whole numbers from 1.
    this.#histogram.record(Math.max(Math.round((nowMs - dueAtMs) * NS_PER_MS), 1))
  }

  begin(): void {
    this.#acknowledgedBefore = this.acknowledged
    this.#itemsBefore = this.acknowledgedItems
    this.#atLastTick = this.acknowledged
    this.#beganAtMs = performance.now()
    this.#cpuBefore = process.cpuUsage()
    this.#timer = setInterval(() => {
      this.#eachSecond.push(this.acknowledged - this.#atLastTick)
      this.#atLastTick = this.acknowledged
    }, 1_000)
  }

  /** Returns the rates from `begin` to now. */
  end(): Omit<Measured, 'latencyMs' | 'latencyPercentiles'> {
    this.#endedAtMs = performance.now()
    const seconds = (this.#endedAtMs - this.#beganAtMs) / 1_000
    const { user, system } = process.cpuUsage(this.#cpuBefore)
    const acknowledgedMessages = this.acknowledged - this.#acknowledgedBefore
    clearInterval(this.#timer)
    return {
      seconds,
      acknowledgedMessages,
      messagesPerSecond: acknowledgedMessages / seconds,
      readingsPerSecond: (this.acknowledgedItems - this.#itemsBefore) / seconds,
      eachSecond: this.#eachSecond,
      cpuSeconds: { user: user / US_PER_SECOND, system: system / US_PER_SECOND },
    }
  }

  /** Once all is acknowledged. */
  latency(): Pick<Measured, 'latencyMs' | 'latencyPercentiles'> {
    return { latencyMs: latencyOf(this.#histogram), latencyPercentiles: percentilesOf(this.#histogram) }
  }
}
