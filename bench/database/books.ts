import { Client, type Pool } from 'pg'
import { closePartitions } from '../../db/partition-closing.ts'
import type { LoadResult } from '../generator/result.ts'

/** What is in the database. */
export interface Books {
  /** Rows of `sensor_readings`. */
  rows: number
  /** Readings of the ledger, `pipeline.ingest_batches`. */
  ledger: number
  /** Readings that PostgreSQL found stored already; those found before are in the metrics of the service alone. */
  duplicates: number
  doors: number
  /** Rejected items by reason. */
  rejected: Record<string, number>
  /** Batches with readings, each one COPY. */
  batches: number
  /** Of the partitions that have rows, with their indexes. */
  bytes: number
}

const BOOKS = `
  SELECT r.rows, d.doors, b.ledger, b.duplicates, b.batches, m.rejected, s.bytes
  FROM (SELECT count(*)::float8 AS rows FROM public.sensor_readings) r,
    (SELECT count(*)::float8 AS doors FROM public.door_events) d,
    (SELECT coalesce(sum(readings), 0)::float8 AS ledger,
       coalesce(sum(readings_duplicate), 0)::float8 AS duplicates,
       (count(*) FILTER (WHERE readings > 0))::float8 AS batches
     FROM pipeline.ingest_batches) b,
    (SELECT coalesce(jsonb_object_agg(reason, items), '{}') AS rejected
     FROM (SELECT reason, count(*) AS items FROM pipeline.rejected_messages GROUP BY reason) by_reason) m,
    (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 AS bytes
     FROM pg_inherits WHERE inhparent = 'public.sensor_readings'::regclass AND pg_relation_size(inhrelid) > 0) s`

export async function readBooks(pool: Pool): Promise<Books> {
  const { rows } = await pool.query<Books>(BOOKS)
  const books = rows[0]
  if (!books) throw new Error('The database did not answer the query for its books.')
  return books
}

/** What has come in since `before`; bytes are those of all. */
export function booksSince(before: Books, after: Books): Books {
  const reasons = Object.entries(after.rejected)
  return {
    ...after,
    rows: after.rows - before.rows,
    ledger: after.ledger - before.ledger,
    duplicates: after.duplicates - before.duplicates,
    doors: after.doors - before.doors,
    batches: after.batches - before.batches,
    rejected: Object.fromEntries(
      reasons.map(([reason, items]) => [reason, items - (before.rejected[reason] ?? 0)]),
    ),
  }
}

/** Long after every partition has passed. */
const LATER_MS = 1_000 * 86_400_000

/** Closes the partitions, as their time does it in the field, and reads the bytes of those that have rows again. */
export async function bytesWhenClosed(pool: Pool, url: string): Promise<number> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    await closePartitions(client, new Date(Date.now() + LATER_MS))
  } finally {
    await client.end()
  }
  return (await readBooks(pool)).bytes
}

/** Why a run does not count: a sentence for each difference; none when it does. */
export function differences(books: Books, load: LoadResult): string[] {
  const { readings, acknowledgedReadings, expected, connectionsLost, reasonsLost } = load
  const found: string[] = []
  const expect = (what: string, actual: number, expected: number) => {
    if (actual !== expected) found.push(`${what}: ${actual}, expected ${expected} (${actual - expected})`)
  }
  expect('readings acknowledged, of those sent', acknowledgedReadings, readings)
  expect('rows in sensor_readings, of the readings acknowledged', books.rows, expected.readings)
  expect('readings in pipeline.ingest_batches, of the readings acknowledged', books.ledger, expected.readings)
  expect('rows in door_events, of the events acknowledged', books.doors, expected.doors)
  if (books.duplicates > expected.readingsDuplicate) {
    expect('readings stored already', books.duplicates, expected.readingsDuplicate)
  }
  const wrong: Record<string, number> = expected.rejected
  for (const reason of new Set([...Object.keys(books.rejected), ...Object.keys(wrong)])) {
    expect(`items rejected as ${reason}`, books.rejected[reason] ?? 0, wrong[reason] ?? 0)
  }
  if (connectionsLost > 0) found.push(`${connectionsLost} connections lost: ${reasonsLost.join('; ')}`)
  return found
}
