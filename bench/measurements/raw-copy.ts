import type { Pool } from 'pg'
import { copyInto } from '../../db/batches/transaction.ts'
import { encodeReadings, readingColumns } from '../../db/copy/readings.ts'
import { createTestFleet } from '../../db/testing/fleet.ts'
import type { BenchContext, LoadShape } from '../context.ts'
import { type Books, readBooks } from '../database/books.ts'
import { openPool } from '../database/pool.ts'
import { cpuSecondsOf, cpuSecondsOfFamily } from '../processes/usage.ts'
import { startUsage, type Usage } from '../processes/usage-meter.ts'
import { FLEET, loadPlan } from './load-arguments.ts'
import { plannedRows } from './planned-rows.ts'

export interface RawMeasurement {
  readingsPerSecond: number
  usage: Usage
  books: Books
}

/** Any id: the ledger has no such batch. */
const BATCH_ID = 1n
const COPY = `COPY public.sensor_readings (${Object.keys(readingColumns).join(', ')}) FROM STDIN (FORMAT binary)`

/**
 * One COPY over one connection into an empty table with all its indexes. `rows` makes the binary COPY data, which is
 * not timed.
 */
export async function measureRawCopy(
  context: BenchContext,
  rows: (pool: Pool) => Promise<Buffer>,
): Promise<RawMeasurement> {
  const database = await context.server.createDatabase()
  const pool = openPool(database.url)
  try {
    const { seconds, usage } = await copyTimed(context, pool, await rows(pool))
    const books = await readBooks(pool)
    return { readingsPerSecond: books.rows / seconds, usage, books }
  } finally {
    await pool.end()
    await database.drop()
  }
}

/** The rows that a load of this shape would make, with a fleet for them in the database. */
export async function encodePlannedRows(
  context: BenchContext,
  shape: LoadShape,
  pool: Pool,
): Promise<Buffer> {
  const { slug, euiPrefix } = FLEET
  const { connections: hubs, devices, inFlightMax } = shape
  const fleet = await createTestFleet(pool, { slug, hubs, devices, euiPrefix })
  const rows = plannedRows(loadPlan(shape), fleet, { inFlightMax, count: context.rawRows })
  return encodeReadings(rows, BATCH_ID)
}

async function copyTimed(
  { server }: BenchContext,
  pool: Pool,
  data: Buffer,
): Promise<{ seconds: number; usage: Usage }> {
  const client = await pool.connect()
  try {
    const { postmasterPid } = server
    const running = startUsage({
      client: () => cpuSecondsOf(process.pid),
      ...(postmasterPid === undefined ? {} : { postgres: () => cpuSecondsOfFamily(postmasterPid) }),
    })
    const startedAt = performance.now()
    await copyInto(client, COPY, data)
    const seconds = (performance.now() - startedAt) / 1_000
    return { seconds, usage: running.end() }
  } finally {
    client.release()
  }
}
