import type { PoolClient } from 'pg'
import { encodeReadings, type ReadingRow, readingColumns } from '../copy/readings.ts'
import { copyAtOnce } from './copy-at-once.ts'
import { copyInto } from './transaction.ts'

const COLUMNS = Object.keys(readingColumns).join(', ')

/**
 * The optimistic way: straight into the table, within the transaction that `begin` opens, in one round trip with it and with
 * what is to be done at the `end`. Fails with 23505 when a single reading is stored already.
 */
export async function copyReadings(
  client: PoolClient,
  { begin, end }: { begin: string; end?: string },
  rows: readonly ReadingRow[],
  batchId: bigint,
): Promise<void> {
  const copy = `${begin}; COPY public.sensor_readings (${COLUMNS}) FROM STDIN (FORMAT binary)`
  await copyAtOnce(client, end === undefined ? copy : `${copy}; ${end}`, encodeReadings(rows, batchId))
}

/**
 * The way for readings that are stored already, or may be: through a temporary table, which ends with the
 * transaction so that a pooler may stand between. In key order, so that two such batches cannot deadlock. `begin` opens the transaction;
 * it is empty where that is open.
 */
export async function stageReadings(
  client: PoolClient,
  begin: string,
  rows: readonly ReadingRow[],
  batchId: bigint,
): Promise<{ stored: number; duplicates: number }> {
  await client.query(
    `${begin === '' ? '' : `${begin}; `}CREATE TEMPORARY TABLE staged_readings (LIKE public.sensor_readings) ON COMMIT DROP`,
  )
  await copyInto(
    client,
    `COPY pg_temp.staged_readings (${COLUMNS}) FROM STDIN (FORMAT binary)`,
    encodeReadings(rows, batchId),
  )
  const inserted = await client.query(
    `INSERT INTO public.sensor_readings (${COLUMNS})
     SELECT ${COLUMNS} FROM pg_temp.staged_readings ORDER BY recorded_at, device_id ON CONFLICT DO NOTHING`,
  )
  const stored = inserted.rowCount ?? 0
  return { stored, duplicates: rows.length - stored }
}
