import type { Pool } from 'pg'
import type { Logger } from 'pino'
import type { Registry as MetricsRegistry } from 'prom-client'
import type { Principal, Route } from '../broker/types.ts'
import type { CommitListener } from './committed.ts'
import type { SnapshotPlace } from './snapshot-file.ts'
import type { Spool } from './spool/types.ts'

interface IngestSettings {
  INGEST_LANES: number
  INGEST_BATCH_ROWS_MAX: number
  INGEST_BATCH_BYTES_MAX: number
  INGEST_BACKLOG_AGE_SECONDS: number
  INGEST_BACKLOG_ROWS_MAX: number
  INGEST_HOLD_MS: number
  INGEST_RECENT_READINGS_MAX: number
  LORA_RECENT_FRAMES_MAX: number
  LORA_FRAME_WINDOW_SECONDS: number
  DATABASE_STATEMENT_TIMEOUT_MS: number
  REGISTRY_REFRESH_MS: number
  LOG_IN_LOOKUP_MS: number
  RECEIPT_GAP_SECONDS: number
  REJECTED_RETENTION_DAYS: number
  REJECTED_PER_CLIENT_MAX: number
  LEDGER_RETENTION_DAYS: number
  SHUTDOWN_DRAIN_MS: number
}

export interface IngestOptions {
  /** For everything but batches. */
  pool: Pool
  /** For batches alone, a connection a lane and one for the spool's, so that nothing else can starve them. */
  copyPool: Pool
  /** Where batches go while the database is away; closed by whoever opened it. */
  spool: Spool
  /** Where devices and log-ins are kept for a start without the database; undefined: nowhere. */
  snapshot: SnapshotPlace | undefined
  /** What a publish of this client to this topic means. */
  routeOf: (principal: Principal, topic: string) => Route | undefined
  log: Logger
  settings: IngestSettings
  metrics: MetricsRegistry
  /** Publishes to our own subscribers; resolves when the broker has taken it. */
  publish: (message: { topic: string; payload: string; qos: 0 | 1; retain: boolean }) => Promise<void>
  /** Told when log-ins may have been revoked: those not `stillValid` are to be disconnected. */
  onLogInsChanged: (stillValid: (principal: Principal) => boolean) => void
  /** Whoever goes on with committed rows. */
  onCommitted?: CommitListener | undefined
}
