import { z } from 'zod'
import { integerSetting, SettingsError } from '../settings.ts'

/** Settings of ingest, from the environment. */
export const ingestSettings = {
  INGEST_LANES: integerSetting({ min: 1, max: 16, default: 2, unit: 'COPY lanes (database connections)' }),
  INGEST_BATCH_ROWS_MAX: integerSetting({
    min: 1,
    max: 100_000,
    default: 20_000,
    unit: 'readings and events',
  }),
  INGEST_BATCH_BYTES_MAX: integerSetting({
    min: 1_048_576,
    max: 268_435_456,
    default: 16_777_216,
    unit: 'payload bytes',
  }),
  INGEST_BACKLOG_AGE_SECONDS: integerSetting({ min: 1, max: 31_536_000, default: 300, unit: 'seconds' }),
  INGEST_BACKLOG_ROWS_MAX: integerSetting({ min: 1, max: 100_000, default: 2_000, unit: 'old readings' }),
  INGEST_HOLD_MS: integerSetting({ min: 100, max: 60_000, default: 2_000, unit: 'milliseconds' }),
  INGEST_RECENT_READINGS_MAX: integerSetting({
    min: 1_000,
    max: 100_000_000,
    default: 1_000_000,
    unit: 'readings remembered to tell resends',
  }),
  LORA_RECENT_FRAMES_MAX: integerSetting({
    min: 100,
    max: 10_000_000,
    default: 50_000,
    unit: 'frames remembered to tell repeated ones',
  }),
  LORA_FRAME_WINDOW_SECONDS: integerSetting({ min: 1, max: 86_400, default: 600, unit: 'seconds' }),
  SPOOL_BYTES_MAX: integerSetting({
    min: 4_194_304,
    max: 1_099_511_627_776,
    default: 1_073_741_824,
    unit: 'bytes on disk',
  }),
  SPOOL_AGE_MAX_HOURS: integerSetting({ min: 1, max: 8_760, default: 168, unit: 'hours' }),
  REGISTRY_REFRESH_MS: integerSetting({ min: 100, max: 60_000, default: 1_000, unit: 'milliseconds' }),
  LOG_IN_LOOKUP_MS: integerSetting({ min: 10, max: 60_000, default: 2_000, unit: 'milliseconds' }),
  RECEIPT_GAP_SECONDS: integerSetting({ min: 1, max: 86_400, default: 300, unit: 'seconds' }),
  REJECTED_RETENTION_DAYS: integerSetting({ min: 1, max: 3_650, default: 30, unit: 'days' }),
  REJECTED_PER_CLIENT_MAX: integerSetting({
    min: 100,
    max: 10_000_000,
    default: 100_000,
    unit: 'rejected items kept for one client',
  }),
  LEDGER_RETENTION_DAYS: integerSetting({ min: 1, max: 3_650, default: 14, unit: 'days' }),
  INGEST_SOURCES_FILE: z.string().optional(),
  INGEST_SOURCES_HELD_BYTES_MAX: integerSetting({
    min: 1_048_576,
    max: 17_179_869_184,
    default: 33_554_432,
    unit: 'bytes of messages held',
  }),
  SHUTDOWN_DRAIN_MS: integerSetting({ min: 100, max: 300_000, default: 8_000, unit: 'milliseconds' }),
}

/** A batch must fit into the spool, with the room that SQLite takes beside it. */
const SPOOL_BATCHES_MIN = 4

const HOURS_PER_DAY = 24

/** What zod cannot check setting by setting. Throws a `SettingsError`. */
export function checkIngestSettings(settings: {
  SPOOL_BYTES_MAX: number
  INGEST_BATCH_BYTES_MAX: number
  SPOOL_AGE_MAX_HOURS: number
  LEDGER_RETENTION_DAYS: number
}): void {
  checkSpoolBytes(settings.SPOOL_BYTES_MAX, settings.INGEST_BATCH_BYTES_MAX)
  checkLedgerRetention(settings.LEDGER_RETENTION_DAYS, settings.SPOOL_AGE_MAX_HOURS)
}

function checkSpoolBytes(spool: number, batch: number): void {
  if (spool >= SPOOL_BATCHES_MIN * batch) return
  throw new SettingsError(
    `SPOOL_BYTES_MAX=${spool}: expected at least ${SPOOL_BATCHES_MIN} times INGEST_BATCH_BYTES_MAX (${batch}), so that a batch ` +
      'fits into the spool. Raise the one or lower the other.',
  )
}

/** A day for what is drained after the spool has taken nothing more. */
function checkLedgerRetention(retentionDays: number, spoolHours: number): void {
  const daysMin = Math.ceil(spoolHours / HOURS_PER_DAY) + 1
  if (retentionDays >= daysMin) return
  throw new SettingsError(
    `LEDGER_RETENTION_DAYS=${retentionDays}: expected at least ${daysMin}, a day more than SPOOL_AGE_MAX_HOURS (${spoolHours}): ` +
      'what comes out of the spool and is stored already is known by its ledger row. Raise the one or lower the other.',
  )
}
