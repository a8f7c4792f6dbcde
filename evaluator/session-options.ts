import type { Pool } from 'pg'
import type { Lease } from '../db/evaluation/lease.ts'
import type { HandOver } from './hand-over.ts'
import type { EvaluatorMetrics } from './metrics.ts'
import type { PagingLimits } from './paging/types.ts'
import type { EvaluatorSettings } from './settings.ts'

export interface SessionOptions {
  pool: Pool
  lease: Lease
  handOver: HandOver
  metrics: EvaluatorMetrics
  settings: Pick<EvaluatorSettings, 'EVALUATOR_PAGE_ROWS_MAX' | 'EVALUATOR_POLL_MS' | 'EVALUATOR_SAVE_MS'>
  limits: PagingLimits
  statementTimeoutMs: number
  /** Epoch milliseconds. */
  now: () => number
  /** Told of rules that cannot be judged. */
  onDefect: (message: string) => void
  /** Told of a device whose readings could not be judged again. */
  onRefoldFailed: (deviceId: number, error: unknown) => void
  /** Told of a unit or a hub that holds up no other one any more: it could not be judged, or was refused. */
  onSetAside: (subject: string, error: unknown) => void
  onBack: (subject: string) => void
  /** Told when messages wait to be published. */
  onTold: () => void
}
