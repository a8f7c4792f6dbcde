import { Client, type Pool } from 'pg'
import { closePartitions } from '../../db/partition-closing.ts'
import type { LoadResult } from '../generator/result.ts'

/** What is in the database. */
export interface Books {
  /** Rows of `sensor_readings`. */
  rows: number
  /** Readings of the ledger, `pipeline.ingest_batches`. */
  ledger: number
  duplicates: number
  rejected: number
  /** Batches with readings, each one COPY. */
  batches: number
  /** Of the partitions that have rows, with their indexes. */
  bytes: number
}

const BOOKS = `
  SELECT r.rows, b.ledger, b.duplicates, b.batches, m.rejected, s.bytes
  FROM (SELECT count(*)::float8 AS rows FROM public.sensor_readings) r,
    (SELECT coalesce(sum(readings), 0)::float8 AS ledger,
       coalesce(sum(readings_duplicate), 0)::float8 AS duplicates,
       (count(*) FILTER (WHERE readings > 0))::float8 AS batches
     FROM pipeline.ingest_batches) b,
    (SELECT count(*)::float8 AS rejected FROM pipeline.rejected_messages) m,
    (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::float8 AS bytes
     FROM pg_inherits WHERE inhparent = 'public.sensor_readings'::regclass AND pg_relation_size(inhrelid) > 0) s`

export async function readBooks(pool: Pool): Promise<Books> {
  const { rows } = await pool.query<Books>(BOOKS)
  const books = rows[0]
  if (!books) throw new Error('The database did not answer the query for its books.')
  return books
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
  const { readings, acknowledgedReadings, connectionsLost, reasonsLost } = load
  const found: string[] = []
  const expect = (what: string, actual: number, expected: number) => {
    if (actual !== expected) found.push(`${what}: ${actual}, expected ${expected} (${actual - expected})`)
  }
  expect('readings acknowledged, of those sent', acknowledgedReadings, readings)
  expect('rows in sensor_readings, of the readings acknowledged', books.rows, acknowledgedReadings)
  expect(
    'readings in pipeline.ingest_batches, of the readings acknowledged',
    books.ledger,
    acknowledgedReadings,
  )
  expect('readings stored already', books.duplicates, 0)
  expect('messages rejected', books.rejected, 0)
  if (connectionsLost > 0) found.push(`${connectionsLost} connections lost: ${reasonsLost.join('; ')}`)
  return found
}
