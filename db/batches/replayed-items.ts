import type { PoolClient } from 'pg'
import type { DoorRow } from '../copy/doors.ts'
import type { ReadingRow } from '../copy/readings.ts'

/** Of the rejected items that a batch was to store, some are gone or locked by another process. Nothing was written. */
export class ItemsTakenError extends Error {
  override name = 'ItemsTakenError'
  /** Ids of those that were there for us. */
  readonly free: ReadonlySet<string>

  constructor(free: ReadonlySet<string>) {
    super('some of the rejected items are gone or locked by another process')
    this.free = free
  }
}

/** A time of arrival that was thought to be free has a reading or event of its device by now. Nothing was written. */
export class ArrivalTimeTakenError extends Error {
  override name = 'ArrivalTimeTakenError'
}

/**
 * Removes rejected items within the caller's transaction, and returns the ids of their payloads. All or none: throws
 * `ItemsTakenError`, the transaction rolled back, when others have some of them. Never waits for a lock.
 */
export async function takeRejected(client: PoolClient, ids: readonly string[]): Promise<string[]> {
  const taken = await client.query<{ id: string; payloadId: string }>(
    `WITH free AS MATERIALIZED (
       SELECT id FROM pipeline.rejected_messages WHERE id = ANY ($1::int8[]) ORDER BY id FOR UPDATE SKIP LOCKED
     )
     DELETE FROM pipeline.rejected_messages m USING free WHERE m.id = free.id
     RETURNING m.id, m.payload_id AS "payloadId"`,
    [ids],
  )
  if (taken.rows.length < ids.length) {
    // At once: with the connection thrown away, our own locks would be in the way of the next attempt for a while.
    await client.query('ROLLBACK')
    throw new ItemsTakenError(new Set(taken.rows.map(({ id }) => id)))
  }
  return [...new Set(taken.rows.map(({ payloadId }) => payloadId))]
}

/**
 * Removes those of the payloads that no item refers to any more. They are locked first, in order: two transactions
 * that remove the last items of one payload would each see the other's.
 */
export async function dropEmptyPayloads(client: PoolClient, payloadIds: readonly string[]): Promise<void> {
  if (payloadIds.length === 0) return
  await client.query(
    'SELECT 1 FROM pipeline.rejected_payloads WHERE id = ANY ($1::int8[]) ORDER BY id FOR UPDATE',
    [payloadIds],
  )
  await client.query(
    `DELETE FROM pipeline.rejected_payloads p WHERE id = ANY ($1::int8[])
       AND NOT EXISTS (SELECT 1 FROM pipeline.rejected_messages m WHERE m.payload_id = p.id)`,
    [payloadIds],
  )
}

interface WrittenRows {
  id: bigint
  readings: readonly ReadingRow[]
  doors: readonly DoorRow[]
}

/**
 * What came without a time of its own is nobody's duplicate: throws `ArrivalTimeTakenError`, the transaction rolled
 * back, when such a row of the batch was passed over because its time is taken.
 */
export async function requireArrivalTimes(
  client: PoolClient,
  { id, readings, doors }: WrittenRows,
): Promise<void> {
  const readingsDue = readings.filter(isArrival)
  const doorsDue = doors.filter(isArrival)
  const found = await client.query<{ stored: number }>(
    `SELECT (
       SELECT count(*) FROM unnest($2::int4[], $3::float8[]) AS g (device_id, at_ms)
       JOIN public.sensor_readings r
         ON r.device_id = g.device_id AND r.recorded_at = to_timestamp(g.at_ms / 1000) AND r.batch_id = $1
     )::int + (
       SELECT count(*) FROM unnest($4::int4[], $5::float8[], $6::text[]) AS g (device_id, at_ms, state)
       JOIN public.door_events e ON e.device_id = g.device_id AND e.occurred_at = to_timestamp(g.at_ms / 1000)
         AND e.state = g.state AND e.batch_id = $1
     )::int AS stored`,
    [
      id,
      readingsDue.map((row) => row.deviceId),
      readingsDue.map((row) => row.recordedAtMs),
      doorsDue.map((row) => row.deviceId),
      doorsDue.map((row) => row.occurredAtMs),
      doorsDue.map((row) => row.state),
    ],
  )
  if (found.rows[0]?.stored === readingsDue.length + doorsDue.length) return
  await client.query('ROLLBACK')
  throw new ArrivalTimeTakenError('a time of arrival is taken by another reading or event of its device')
}

function isArrival({ source }: ReadingRow | DoorRow): boolean {
  return source === 'arrival'
}
