import type { ClientBase } from 'pg'
import type { StoredDoor } from './inputs.ts'
import { epochMs, toInstant } from './instants.ts'
import type { LedgerBatch } from './ledger-page.ts'
import { CLOCK_AHEAD_MS } from './reading-rows.ts'
import { rowsOfBatches } from './spans.ts'

interface Row {
  device_id: number
  unit_id: number
  occurred_ms: number
  received_ms: number
  is_open: boolean
}

/** Simulated events are stored, and judged by nobody. */
const SELECT = `
  SELECT r.device_id, r.unit_id, ${epochMs('r.occurred_at')} AS occurred_ms, ${epochMs('r.received_at')} AS received_ms,
    r.state = 'open' AS is_open
  FROM public.door_events r
  WHERE r.unit_id IS NOT NULL AND r.source <> 'simulated'`

/** The door events of these batches, in no certain order. */
export function doorsOfBatches(client: ClientBase, batches: readonly LedgerBatch[]): Promise<StoredDoor[]> {
  const withDoors = batches.filter((batch) => batch.doors > 0)
  return rowsOfBatches(client, { select: SELECT, time: 'r.occurred_at', toInput: toDoor }, withDoors)
}

export interface DoorSpan {
  unitId: number
  /** Evaluation times. */
  fromMs: number
  toMs?: number
  limit: number
}

/**
 * The door events of a unit from an evaluation time on (and before `toMs`), oldest first and open before closed, at most
 * `limit`. With `newest` they are the last of that time instead of the first.
 */
export async function doorRows(
  client: ClientBase,
  { unitId, fromMs, toMs = Infinity, limit, newest = false }: DoorSpan & { newest?: boolean },
): Promise<StoredDoor[]> {
  const order = newest ? 'DESC' : 'ASC'
  const { rows } = await client.query<Row>(
    `${SELECT} AND r.unit_id = $1
       AND r.device_id = ANY (ARRAY(SELECT device_id FROM pipeline.device_assignments WHERE unit_id = $1))
       AND r.occurred_at BETWEEN $2 AND $3
       AND least(r.occurred_at, r.received_at) >= $2 AND least(r.occurred_at, r.received_at) < $4
     ORDER BY least(r.occurred_at, r.received_at) ${order}, r.state = 'closed' ${order}, r.device_id ${order}, r.occurred_at ${order}
     LIMIT $5`,
    [unitId, toInstant(fromMs), toInstant(toMs + CLOCK_AHEAD_MS), toInstant(toMs), limit],
  )
  const doors = rows.map(toDoor)
  return newest ? doors.reverse() : doors
}

/** For each door of a unit that is open at an evaluation time, `toMs`, the event that opened it; not looked for before `fromMs`. */
export async function openDoorRows(
  client: ClientBase,
  { unitId, fromMs, toMs }: Required<Omit<DoorSpan, 'limit'>>,
): Promise<StoredDoor[]> {
  // Of the same time, a door is closed after it was opened.
  const { rows } = await client.query<Row>(
    `WITH events AS (
       SELECT *, least(r.occurred_ms, r.received_ms) AS at_ms FROM (${SELECT}
         AND r.unit_id = $1
         AND r.device_id = ANY (ARRAY(SELECT device_id FROM pipeline.device_assignments WHERE unit_id = $1))
         AND r.occurred_at BETWEEN $2 AND $3
         AND least(r.occurred_at, r.received_at) >= $2 AND least(r.occurred_at, r.received_at) < $4) r
     ), closed AS (
       SELECT device_id, max(at_ms) AS at_ms FROM events WHERE NOT is_open GROUP BY device_id
     )
     SELECT DISTINCT ON (e.device_id) e.* FROM events e LEFT JOIN closed c ON c.device_id = e.device_id
     WHERE e.is_open AND e.at_ms > coalesce(c.at_ms, '-infinity')
     ORDER BY e.device_id, e.at_ms, e.occurred_ms`,
    [unitId, toInstant(fromMs), toInstant(toMs + CLOCK_AHEAD_MS), toInstant(toMs)],
  )
  return rows.map(toDoor)
}

function toDoor(row: Row): StoredDoor {
  const recordedAtMs = Math.round(row.occurred_ms)
  const receivedAtMs = Math.round(row.received_ms)
  return {
    kind: 'door',
    deviceId: row.device_id,
    unitId: row.unit_id,
    atMs: Math.min(recordedAtMs, receivedAtMs),
    recordedAtMs,
    receivedAtMs,
    isOpen: row.is_open,
  }
}
