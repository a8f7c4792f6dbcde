import { createHistogram } from 'node:perf_hooks'
import { type LoadResult, latencyOf, percentilesOf } from './result.ts'

const NS_PER_MS = 1e6
const US_PER_SECOND = 1e6

/** Counts acknowledgements, and measures them between `begin` and `end`. */
export class Meter {
  acknowledged = 0
  readonly #histogram = createHistogram()
  readonly #eachSecond: number[] = []
  #measuring = false
  #acknowledgedBefore = 0
  #startedAtMs = 0
  #cpuBefore = process.cpuUsage()
  #atLastTick = 0
  #timer: NodeJS.Timeout | undefined

  /** One message, `latencyMs` after it was due. */
  count(latencyMs: number): void {
    this.acknowledged++
    // A histogram takes whole numbers from 1.
    if (this.#measuring) this.#histogram.record(Math.max(Math.round(latencyMs * NS_PER_MS), 1))
  }

  begin(): void {
    this.#measuring = true
    this.#acknowledgedBefore = this.acknowledged
    this.#atLastTick = this.acknowledged
    this.#startedAtMs = performance.now()
    this.#cpuBefore = process.cpuUsage()
    this.#timer = setInterval(() => {
      this.#eachSecond.push(this.acknowledged - this.#atLastTick)
      this.#atLastTick = this.acknowledged
    }, 1_000)
  }

  end(readingsPerMessage: number): LoadResult['measured'] {
    const seconds = (performance.now() - this.#startedAtMs) / 1_000
    const { user, system } = process.cpuUsage(this.#cpuBefore)
    const acknowledgedMessages = this.acknowledged - this.#acknowledgedBefore
    const messagesPerSecond = acknowledgedMessages / seconds
    clearInterval(this.#timer)
    this.#measuring = false
    return {
      seconds,
      acknowledgedMessages,
      messagesPerSecond,
      readingsPerSecond: messagesPerSecond * readingsPerMessage,
      eachSecond: this.#eachSecond,
      latencyMs: latencyOf(this.#histogram),
      latencyPercentiles: percentilesOf(this.#histogram),
      cpuSeconds: { user: user / US_PER_SECOND, system: system / US_PER_SECOND },
    }
  }
}
