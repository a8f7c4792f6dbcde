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
const IS_JUDGED = `r.unit_id IS NOT NULL AND r.source <> 'simulated'`
const SELECT = `
  SELECT r.device_id, r.unit_id, ${epochMs('r.recorded_at')} AS recorded_ms, ${epochMs('r.received_at')} AS received_ms,
    CASE WHEN r.fault IS NULL THEN pipeline.centi(r.temperature) + coalesce((nullif(c.temperature_offset, 'NaN') * 100)::integer, 0) END AS centi,
    r.battery, r.fault
  FROM public.sensor_readings r
  LEFT JOIN LATERAL (
    SELECT temperature_offset FROM public.calibration_records
    WHERE device_id = r.device_id AND calibrated_at <= least(r.recorded_at, r.received_at)
    ORDER BY calibrated_at DESC LIMIT 1) c ON true
  WHERE ${IS_JUDGED}`

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

/**
 * The readings of several devices from an evaluation time on, wherever they stood, in no certain order; undefined: they are more than
 * `limit`. The open partition has no index by device: one statement looks through it once for all of them.
 */
export async function rowsOfDevices(
  client: ClientBase,
  { deviceIds, fromMs, limit }: { deviceIds: readonly number[]; fromMs: number; limit: number },
): Promise<StoredReading[] | undefined> {
  const { rows } = await client.query<Row>(
    `${SELECT} AND r.device_id = ANY ($1::int4[]) AND r.recorded_at >= $2
       AND least(r.recorded_at, r.received_at) >= $2 LIMIT $3`,
    [deviceIds, toInstant(fromMs), limit + 1],
  )
  return rows.length > limit ? undefined : rows.map(toReading)
}

/** Rows of the first page, and of a later one: each has twice as many as the one before. */
const PAGE_ROWS_FIRST = 2_000
const PAGE_ROWS_MAX = 8_000
/** A page of rows that share their time is not asked for again and again. */
const PAGE_MS_MIN = 60_000

/**
 * The same page by page, to the end. PostgreSQL puts all rows of the time that it is asked for in order before it answers: so each
 * page asks for about as much time as it needs, first for `pageMs`. What is newer than `newestMs` is little. `read` is called once for
 * each page: in transactions of their own no page holds up for long whoever wants the table for itself.
 */
export async function* deviceRowPages(
  read: (page: (client: ClientBase) => Promise<StoredReading[]>) => Promise<StoredReading[]>,
  span: DeviceSpan & { fromMs: number; toMs: number },
  { pageMs, newestMs }: { pageMs: number; newestMs: number },
): AsyncGenerator<StoredReading[]> {
  let { fromMs } = span
  let forMs = Math.max(pageMs, PAGE_MS_MIN)
  let limit = PAGE_ROWS_FIRST
  let after: StoredReading | undefined
  for (;;) {
    const isLast = !Number.isFinite(fromMs) || fromMs + forMs >= Math.min(newestMs, span.toMs)
    const endMs = isLast ? span.toMs : fromMs + forMs
    const asked = { ...span, fromMs, toMs: endMs, limit, ...(after ? { after } : {}) }
    const page = await read((client) => deviceRows(client, asked))
    if (page.length > 0) yield page
    after = page.at(-1) ?? after
    const nextLimit = Math.min(limit * 2, PAGE_ROWS_MAX)
    if (page.length < limit) {
      if (isLast) return
      fromMs = endMs
      if (page.length < limit / 2) forMs *= 2
    } else if (after) {
      const coveredMs = after.atMs - (page[0]?.atMs ?? fromMs)
      forMs = Math.max((coveredMs * nextLimit) / limit, PAGE_MS_MIN)
      fromMs = after.atMs
    }
    limit = nextLimit
  }
}

/** The evaluation time of the reading of a device that is so many before one evaluation time; undefined: there are not so many. */
export async function timeOfLastRow(
  client: ClientBase,
  { unitId, deviceId, beforeMs, count }: DeviceSpan & { beforeMs: number; count: number },
): Promise<number | undefined> {
  const { rows } = await client.query<{ atMs: number }>(
    `SELECT ${epochMs('least(r.recorded_at, r.received_at)')} AS "atMs" FROM public.sensor_readings r
     WHERE ${IS_JUDGED} AND r.device_id = $1 AND r.unit_id = $2 AND r.recorded_at <= $3
       AND least(r.recorded_at, r.received_at) < $4
     ORDER BY 1 DESC OFFSET $5 LIMIT 1`,
    [deviceId, unitId, toInstant(beforeMs + CLOCK_AHEAD_MS), toInstant(beforeMs), count - 1],
  )
  return rows[0] && Math.round(rows[0].atMs)
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
