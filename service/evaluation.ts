import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry as MetricsRegistry } from 'prom-client'
import {
  OutgoingPublisher,
  type OutgoingPublisherOptions,
} from '../evaluator/publishing/outgoing-publisher.ts'
import { EvaluatorThread } from '../evaluator/thread/evaluator-thread.ts'
import type { ThreadSettings } from '../evaluator/thread/messages.ts'
import type { CommitListener } from '../ingest/committed.ts'

/** What turns committed rows into alerts, and tells operators of them. */
export interface Evaluation {
  /** Told of what ingest commits; undefined: another process evaluates. */
  committed: CommitListener | undefined
  /** The database must have been migrated. */
  start(): void
  /** What needs somebody, for `/readyz` and the status page. */
  notices(): readonly string[]
  /** Before the broker closes and the pool ends. */
  stop(): Promise<void>
}

interface Options {
  url: string
  /** For what is published. */
  pool: Pool
  log: Logger
  metrics: MetricsRegistry
  settings: ThreadSettings & { INGEST_BATCH_ROWS_MAX: number }
  brokerId: string
  publish: OutgoingPublisherOptions['publish']
}

const HOUR_MS = 3_600_000
/** The messages of a batch rarely fill it to the last row. */
const FULL = 0.9

/** The evaluator, unless it runs in a process of its own, and what publishes for it, which only the broker's process can. */
export function openEvaluation({
  url,
  pool,
  log,
  metrics,
  settings,
  brokerId,
  publish,
}: Options): Evaluation {
  const keptMs = settings.ALERTS_KEPT_HOURS * HOUR_MS
  const publisher = new OutgoingPublisher({ pool, log, brokerId, keptMs, publish, now: Date.now })
  const onTold = () => publisher.wake()
  const fullBatchRows = settings.INGEST_BATCH_ROWS_MAX * FULL
  const evaluator =
    settings.EVALUATOR === 'inline'
      ? new EvaluatorThread({ url, log, metrics, settings, fullBatchRows, onTold })
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
