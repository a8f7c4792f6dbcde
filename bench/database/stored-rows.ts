import { buffer } from 'node:stream/consumers'
import type { Pool } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { readingColumns } from '../../db/copy/readings.ts'

/**
 * The first rows of `sensor_readings` as binary COPY data, in the order in which they were written: a plain scan
 * goes through partitions and pages from the beginning, if it neither joins another one halfway nor is split.
 */
export async function copyStoredRows(pool: Pool, rowsMax: number): Promise<Buffer> {
  const columns = Object.keys(readingColumns).join(', ')
  const client = await pool.connect()
  try {
    await client.query(
      'BEGIN; SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0',
    )
    const query = `SELECT ${columns} FROM public.sensor_readings LIMIT ${Math.trunc(rowsMax)}`
    const data = await buffer(client.query(copyTo(`COPY (${query}) TO STDOUT (FORMAT binary)`)))
    await client.query('COMMIT')
    return data
  } finally {
    client.release()
  }
}
