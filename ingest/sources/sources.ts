import type { Registry as MetricsRegistry } from 'prom-client'
import { Budget } from './budget.ts'
import { Source, type SourceOptions } from './source.ts'
import type { SourceConfig } from './source-file.ts'
import { registerSourceMetrics } from './source-metrics.ts'

export interface SourcesOptions extends Omit<SourceOptions, 'config' | 'budget'> {
  configs: readonly SourceConfig[]
  /** Memory of the messages of all of them that wait for their commit. */
  heldBytesMax: number
  metrics: MetricsRegistry
}

/** All brokers that we read from. Modes: created → reading, by `start` → draining, by `stopIntake` → closed, by `close`. */
export class Sources {
  readonly #sources: readonly Source[]

  constructor({ configs, heldBytesMax, metrics, ...options }: SourcesOptions) {
    const budget = new Budget(heldBytesMax)
    this.#sources = configs.map((config) => new Source({ ...options, config, budget }))
    registerSourceMetrics(metrics, this.#sources, budget)
  }

  start(): void {
    for (const source of this.#sources) source.start()
  }

  /** A sentence for each that is away. */
  away(): string[] {
    const nowMs = performance.now()
    return this.#sources.flatMap((source) => source.away(nowMs) ?? [])
  }

  /** Messages handed to ingest. */
  get received(): number {
    return this.#sources.reduce((sum, { counters }) => sum + counters.received, 0)
  }

  /** To be called when log-ins may have been revoked. */
  checkSpeakers(): void {
    for (const source of this.#sources) source.checkSpeaker()
  }

  stopIntake(): void {
    for (const source of this.#sources) source.stopIntake()
  }

  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()))
  }
}
