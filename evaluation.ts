import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry as MetricsRegistry } from 'prom-client'
import { Evaluator } from './evaluator/evaluator.ts'
import { createEvaluatorMetrics } from './evaluator/metrics.ts'
import type { PagingSettings } from './evaluator/paging/config.ts'
import {
  OutgoingPublisher,
  type OutgoingPublisherOptions,
} from './evaluator/publishing/outgoing-publisher.ts'
import type { EvaluatorSettings } from './evaluator/settings.ts'
import type { CommitListener } from './ingest/committed.ts'

/** What turns committed rows into alerts, and tells operators of them. */
export interface Evaluation {
  /** Told of what ingest commits; undefined: another process evaluates. */
  committed: CommitListener | undefined
  /** The database must have been migrated. */
  start(): void
  /** What needs somebody, for `/readyz` and the status page. */
  notices(): string[]
  /** Before the broker closes and the pool ends. */
  stop(): Promise<void>
}

interface Options {
  pool: Pool
  log: Logger
  metrics: MetricsRegistry
  settings: EvaluatorSettings & PagingSettings & { DATABASE_STATEMENT_TIMEOUT_MS: number }
  publish: OutgoingPublisherOptions['publish']
}

/** The evaluator, unless it runs in a process of its own, and what publishes for it, which only the broker's process can. */
export function openEvaluation({ pool, log, metrics, settings, publish }: Options): Evaluation {
  const publisher = new OutgoingPublisher({ pool, log, publish, now: Date.now })
  const register = createEvaluatorMetrics(metrics)
  const onTold = () => publisher.wake()
  const evaluator =
    settings.EVALUATOR === 'inline'
      ? new Evaluator({ pool, log, metrics: register, settings, onTold })
      : undefined
  return {
    committed: evaluator?.committed,
    start() {
      publisher.start()
      evaluator?.start()
    },
    notices: () => evaluator?.notices() ?? [],
    async stop() {
      await evaluator?.stop()
      await publisher.stop()
    },
  }
}
