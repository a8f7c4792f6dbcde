import type { PoolClient } from 'pg'
import { type DoorRow, doorColumns, encodeDoors } from '../copy/doors.ts'
import { doorDurations, type StoredDoorMoment } from './door-durations.ts'
import { copyInto } from './transaction.ts'

/** Only one transaction at a time writes door events: two that do not see each other's would both miss an opening. */
const DOOR_LOCK = 7_263_001

const COPY_DOORS = `COPY public.door_events (${Object.keys(doorColumns).join(', ')}) FROM STDIN (FORMAT binary)`

/** Events of a device that lie further apart are written one after the other, so that what lies between is not read. */
const ROUND_GAP_MS = 24 * 60 * 60 * 1_000

/**
 * Stores door events within the caller's transaction, each close with the duration of the opening that it ends, and
 * corrects stored closes that an event arriving late changes. Events stored already are skipped.
 */
export async function writeDoors(
  client: PoolClient,
  rows: readonly DoorRow[],
  batchId: bigint,
): Promise<{ stored: number; duplicates: number }> {
  await client.query(`SELECT pg_advisory_xact_lock(${DOOR_LOCK})`)
  let stored = 0
  for (const round of doorRounds(rows)) stored += await writeRound(client, round, batchId)
  return { stored, duplicates: rows.length - stored }
}

/** In each round the events of one device lie close together, and those of a later round are later. */
export function doorRounds(rows: readonly DoorRow[]): DoorRow[][] {
  const rounds: DoorRow[][] = []
  for (const events of Map.groupBy(rows, (row) => row.deviceId).values()) {
    let round = 0
    let previousMs: number | undefined
    for (const event of events.toSorted((a, b) => a.occurredAtMs - b.occurredAtMs)) {
      if (previousMs !== undefined && event.occurredAtMs - previousMs > ROUND_GAP_MS) round += 1
      previousMs = event.occurredAtMs
      rounds[round] ??= []
      rounds[round]?.push(event)
    }
  }
  return rounds
}

/** Returns how many events were new. */
async function writeRound(client: PoolClient, rows: readonly DoorRow[], batchId: bigint): Promise<number> {
  const byDevice = Map.groupBy(rows, (row) => row.deviceId)
  const neighbours = await doorNeighbours(client, byDevice)
  const fresh: { row: DoorRow; durationSeconds: number | null }[] = []
  const corrections: Correction[] = []

  for (const [deviceId, events] of byDevice) {
    const found = doorDurations(events, neighbours.get(deviceId) ?? [])
    events.forEach((row, index) => {
      if (found.duplicates.has(index)) return
      fresh.push({ row, durationSeconds: found.durations[index] ?? null })
    })
    corrections.push(...found.corrections.map((correction) => ({ deviceId, ...correction })))
  }
  if (fresh.length > 0) await copyInto(client, COPY_DOORS, encodeDoors(fresh, batchId))
  if (corrections.length > 0) await correctDurations(client, corrections)
  return fresh.length
}

interface Correction {
  deviceId: number
  occurredAtMs: number
  durationSeconds: number | null
}

/**
 * What the new events of each device can touch: the last close before them with the first open after it, all that
 * lies between the first and the last of them, and the next close after them. Each is one walk along the key.
 */
const NEIGHBOURS = `
  SELECT d.device_id, round(extract(epoch FROM e.occurred_at) * 1000)::float8 AS occurred_at_ms, e.state, e.duration_seconds
  FROM (
    SELECT device_id, to_timestamp(first_ms / 1000) AS first_at, to_timestamp(last_ms / 1000) AS last_at
    FROM unnest($1::int4[], $2::float8[], $3::float8[]) AS given (device_id, first_ms, last_ms)
  ) d
  LEFT JOIN LATERAL (
    SELECT c.occurred_at FROM public.door_events c
    WHERE c.device_id = d.device_id AND c.state = 'closed' AND c.occurred_at < d.first_at
    ORDER BY c.occurred_at DESC LIMIT 1
  ) closed_before ON true
  CROSS JOIN LATERAL (
    (SELECT o.occurred_at, o.state, o.duration_seconds FROM public.door_events o
     WHERE o.device_id = d.device_id AND o.state = 'open' AND o.occurred_at < d.first_at
       AND o.occurred_at > coalesce(closed_before.occurred_at, '-infinity')
     ORDER BY o.occurred_at LIMIT 1)
    UNION ALL
    SELECT b.occurred_at, b.state, b.duration_seconds FROM public.door_events b
    WHERE b.device_id = d.device_id AND b.occurred_at BETWEEN d.first_at AND d.last_at
    UNION ALL
    (SELECT n.occurred_at, n.state, n.duration_seconds FROM public.door_events n
     WHERE n.device_id = d.device_id AND n.state = 'closed' AND n.occurred_at > d.last_at
     ORDER BY n.occurred_at LIMIT 1)
    UNION ALL
    (SELECT o.occurred_at, o.state, o.duration_seconds FROM public.door_events o
     WHERE o.device_id = d.device_id AND o.state = 'open' AND o.occurred_at > d.last_at
     ORDER BY o.occurred_at LIMIT 1)
  ) e`

async function doorNeighbours(
  client: PoolClient,
  byDevice: ReadonlyMap<number, readonly DoorRow[]>,
): Promise<Map<number, StoredDoorMoment[]>> {
  const times = [...byDevice.values()].map((events) => events.map((event) => event.occurredAtMs))
  const result = await client.query<{
    device_id: number
    occurred_at_ms: number
    state: 'open' | 'closed'
    duration_seconds: number | null
  }>(NEIGHBOURS, [
    [...byDevice.keys()],
    times.map((values) => Math.min(...values)),
    times.map((values) => Math.max(...values)),
  ])
  const neighbours = new Map<number, StoredDoorMoment[]>()
  for (const row of result.rows) {
    const list = neighbours.get(row.device_id) ?? []
    list.push({
      occurredAtMs: row.occurred_at_ms,
      state: row.state,
      durationSeconds: row.duration_seconds,
    })
    neighbours.set(row.device_id, list)
  }
  return neighbours
}

async function correctDurations(client: PoolClient, corrections: readonly Correction[]): Promise<void> {
  await client.query(
    `UPDATE public.door_events e SET duration_seconds = c.seconds
     FROM unnest($1::int4[], $2::float8[], $3::float8[]) AS c (device_id, occurred_at_ms, seconds)
     WHERE e.device_id = c.device_id AND e.state = 'closed' AND e.occurred_at = to_timestamp(c.occurred_at_ms / 1000)`,
    [
      corrections.map((correction) => correction.deviceId),
      corrections.map((correction) => correction.occurredAtMs),
      corrections.map((correction) => correction.durationSeconds),
    ],
  )
}
