import type { ClientBase } from 'pg'
import type { StoredReading } from './inputs.ts'
import { epochMs, toInstant } from './instants.ts'
import type { LedgerBatch } from './ledger-page.ts'
import { rowsOfBatches } from './spans.ts'

/** A clock may run ahead by so much when a reading is taken (ingest refuses more), so `recorded_at` may lie behind `at`. */
export const CLOCK_AHEAD_MS = 24 * 60 * 60_000

interface Row {
  device_id: number
  unit_id: number
  recorded_ms: number
  received_ms: number
  centi: number | null
  battery: number | null
  fault: string | null
}

/** Simulated readings are stored, and judged by nobody. */
const SELECT = `
  SELECT r.device_id, r.unit_id, ${epochMs('r.recorded_at')} AS recorded_ms, ${epochMs('r.received_at')} AS received_ms,
    CASE WHEN r.fault IS NULL THEN pipeline.centi(r.temperature) + coalesce((nullif(c.temperature_offset, 'NaN') * 100)::integer, 0) END AS centi,
    r.battery, r.fault
  FROM public.sensor_readings r
  LEFT JOIN LATERAL (
    SELECT temperature_offset FROM public.calibration_records
    WHERE device_id = r.device_id AND calibrated_at <= least(r.recorded_at, r.received_at)
    ORDER BY calibrated_at DESC LIMIT 1) c ON true
  WHERE r.unit_id IS NOT NULL AND r.source <> 'simulated'`

/** In the order in which they are judged. */
const ORDER = 'least(r.recorded_at, r.received_at), r.recorded_at'

/** The readings of these batches, in no certain order. */
export function readingsOfBatches(
  client: ClientBase,
  batches: readonly LedgerBatch[],
): Promise<StoredReading[]> {
  const withReadings = batches.filter((batch) => batch.readings > 0)
  return rowsOfBatches(client, { select: SELECT, time: 'r.recorded_at', toInput: toReading }, withReadings)
}

export interface DeviceSpan {
  deviceId: number
  /** Only what was measured while it stood there. */
  unitId: number
}

/**
 * The readings of a device from an evaluation time on (and before `toMs`), oldest first, at most `limit`. A full answer may have
 * more behind it: ask again with its last reading as `after`.
 */
export async function deviceRows(
  client: ClientBase,
  span: DeviceSpan & {
    fromMs: number
    toMs?: number
    after?: Pick<StoredReading, 'atMs' | 'recordedAtMs'>
    limit: number
  },
): Promise<StoredReading[]> {
  const { fromMs, toMs = Infinity, after = { atMs: -Infinity, recordedAtMs: -Infinity } } = span
  const { rows } = await client.query<Row>(
    `${SELECT} AND r.device_id = $1 AND r.unit_id = $2 AND r.recorded_at BETWEEN $3 AND $4
       AND least(r.recorded_at, r.received_at) >= $3 AND least(r.recorded_at, r.received_at) < $5
       AND (${ORDER}) > ($6, $7)
     ORDER BY ${ORDER} LIMIT $8`,
    [
      span.deviceId,
      span.unitId,
      toInstant(Math.max(fromMs, after.atMs)),
      toInstant(toMs + CLOCK_AHEAD_MS),
      toInstant(toMs),
      toInstant(after.atMs),
      toInstant(after.recordedAtMs),
      span.limit,
    ],
  )
  return rows.map(toReading)
}

/** The last readings of a device before an evaluation time and not before `notBeforeMs`, oldest first, at most `limit`. */
export async function deviceRowsBefore(
  client: ClientBase,
  span: DeviceSpan & { beforeMs: number; notBeforeMs: number; limit: number },
): Promise<StoredReading[]> {
  const { rows } = await client.query<Row>(
    `${SELECT} AND r.device_id = $1 AND r.unit_id = $2 AND r.recorded_at BETWEEN $3 AND $4
       AND least(r.recorded_at, r.received_at) >= $3 AND least(r.recorded_at, r.received_at) < $5
     ORDER BY least(r.recorded_at, r.received_at) DESC, r.recorded_at DESC LIMIT $6`,
    [
      span.deviceId,
      span.unitId,
      toInstant(span.notBeforeMs),
      toInstant(span.beforeMs + CLOCK_AHEAD_MS),
      toInstant(span.beforeMs),
      span.limit,
    ],
  )
  return rows.map(toReading).reverse()
}

function toReading(row: Row): StoredReading {
  const recordedAtMs = Math.round(row.recorded_ms)
  const receivedAtMs = Math.round(row.received_ms)
  return {
    kind: 'reading',
    deviceId: row.device_id,
    unitId: row.unit_id,
    atMs: Math.min(recordedAtMs, receivedAtMs),
    recordedAtMs,
    receivedAtMs,
    temperatureCenti: row.centi,
    battery: row.battery,
    fault: row.fault,
  }
}
