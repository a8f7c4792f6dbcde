import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

const MICROSECONDS = 1_000

/** What all hubs of a run have done together. */
export class RunCounts {
  /** Publishes of data, repeated ones included. */
  publishes = 0
  readings = 0
  acknowledged = 0
  /** Publishes whose connection ended before their PUBACK. */
  failed = 0
  connected = 0
  connectionsLost = 0
  /** Messages that hubs dropped because their buffer was full or its memory was lost. */
  dropped = 0
  /** Measurements that came while their hub was down. */
  unheard = 0
  receipts = 0
  rejectAnswers = 0
  commands = 0
  /** From publish to PUBACK, in microseconds. */
  readonly latency: RecordableHistogram = createHistogram()
  #measuring = true

  recordLatency(milliseconds: number): void {
    if (this.#measuring) this.latency.record(Math.max(1, Math.round(milliseconds * MICROSECONDS)))
  }

  /** The time to drain is no load: its latencies do not count. */
  stopMeasuring(): void {
    this.#measuring = false
  }

  /** Milliseconds, or undefined while there is none. */
  latencyMs(percentile: number): number | undefined {
    return this.latency.count === 0 ? undefined : this.latency.percentile(percentile) / MICROSECONDS
  }
}
