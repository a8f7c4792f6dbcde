import type { PackedBatch } from '../packed-batch.ts'
import type { PagingSettings } from '../paging/config.ts'
import type { EvaluatorSettings } from '../settings.ts'
import type { SharedNumbers } from './shared-numbers.ts'

export type ThreadSettings = EvaluatorSettings &
  PagingSettings & {
    LOG_LEVEL: string
    DATABASE_STATEMENT_TIMEOUT_MS: number
    DATABASE_CONNECT_TIMEOUT_MS: number
  }

/** What the thread is started with. */
export interface ThreadData {
  url: string
  settings: ThreadSettings
  /** Of the evaluator's lease: the thread that comes after one that has died need not wait for its end. */
  holder: string
  words: SharedNumbers['words']
}

/**
 * What the thread is told. Of batches with ids up to `landedId` none is under way any more. `arrived`: batches before which nothing
 * is to come any more; with the one that was to come, so that both have their turn together.
 */
export type ToThread =
  | {
      kind: 'batch'
      batch: PackedBatch
      landedId: bigint
      arrived: bigint[]
      /** Epoch milliseconds, with a fraction. */
      committedAtMs: number
      /** Whether older messages of its clients are still under way: it is among `arrived` later. */
      isAhead: boolean
    }
  /** A batch that found no room: it is in the ledger. */
  | { kind: 'left'; id: bigint; landedId: bigint }
  | { kind: 'landed'; landedId: bigint; arrived: bigint[] }
  | { kind: 'metrics'; call: number }
  | { kind: 'start' }
  | { kind: 'stop' }

/** A metric, as prom-client gives it. */
export interface MetricSaid {
  name: string
  values: readonly unknown[]
}

/** What the thread tells. */
export type FromThread =
  /** A line of its log. */
  | { kind: 'log'; line: string }
  /** Messages to operators wait to be published. */
  | { kind: 'told' }
  | { kind: 'metrics'; call: number; metrics: MetricSaid[] }
  /** What an operator is told now. */
  | { kind: 'notices'; notices: string[] }
