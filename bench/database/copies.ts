import type { Pool } from 'pg'

/** How large the batches were, as the ledger tells afterwards. */
export interface Copies {
  /** Seconds since the first commit, and the mean rows of the batches of that second. */
  rowsOverTime: [seconds: number, rows: number][]
  /** Percentile, and the rows that so many of all batches do not exceed. */
  percentiles: [percentile: number, rows: number][]
}

const PERCENTILES = [0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100]

const OVER_TIME = `
  SELECT second, avg(readings)::float8 AS rows
  FROM (
    SELECT readings, floor(extract(epoch FROM committed_at - min(committed_at) OVER ()))::float8 AS second
    FROM pipeline.ingest_batches WHERE readings > 0
  ) batches
  GROUP BY second ORDER BY second`

const DISTRIBUTION = `
  SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY readings) AS rows
  FROM pipeline.ingest_batches WHERE readings > 0`

/** Reads them from the ledger once a measurement is over. */
export async function readCopies(pool: Pool): Promise<Copies> {
  const overTime = await pool.query<{ second: number; rows: number }>(OVER_TIME)
  const shares = PERCENTILES.map((percentile) => percentile / 100)
  const distribution = await pool.query<{ rows: number[] | null }>(DISTRIBUTION, [shares])
  const rows = distribution.rows[0]?.rows ?? []
  return {
    rowsOverTime: overTime.rows.map(({ second, rows: mean }) => [second, mean]),
    percentiles: rows.map((value, index) => [PERCENTILES[index] ?? 0, value]),
  }
}
