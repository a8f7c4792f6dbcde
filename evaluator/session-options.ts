import type { Pool } from 'pg'
import type { HandOver } from './hand-over.ts'
import type { HeldLease } from './lease.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import type { PagingLimits } from './paging/types.ts'
import type { Reads } from './reads.ts'
import type { EvaluatorSettings } from './settings.ts'

export interface SessionOptions {
  /** To write. */
  pool: Pool
  reads: Reads
  lease: HeldLease
  handOver: HandOver
  metrics: EvaluatorMetrics
  settings: Pick<EvaluatorSettings, 'EVALUATOR_PAGE_ROWS_MAX' | 'EVALUATOR_POLL_MS' | 'EVALUATOR_SAVE_MS'>
  limits: PagingLimits
  statementTimeoutMs: number
  /** Epoch milliseconds. */
  now: () => number
  /** Share of the last moments in which the thread was busy that takes what arrives; 0 where that is another process. */
  utilization: () => number
  /** Told of rules that cannot be judged. */
  onDefect: (message: string) => void
  /** Told of what cannot be judged, or is refused when it is written: a unit, a hub, a device. */
  onSetAside: (subject: string, error: unknown) => void
  onBack: (subject: string) => void
  /** Told when messages wait to be published. */
  onTold: () => void
}
