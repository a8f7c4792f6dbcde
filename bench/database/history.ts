import { randomUUID } from 'node:crypto'
import { drizzle } from 'drizzle-orm/node-postgres'
import { Client, type Pool } from 'pg'
import { createBatchIds } from '../../db/batches/batch-id.ts'
import { writeBatch } from '../../db/batches/write-batch.ts'
import type { ReadingRow } from '../../db/copy/readings.ts'
import { closePartitions } from '../../db/partition-closing.ts'
import { PARTITION_KEYS, type PartitionKeys } from '../../db/partition-keys.ts'
import { ensurePartitions, parseBounds } from '../../db/partitions.ts'
import { arrivals, FIRST_MS } from '../layout/arrivals.ts'
import { createFleet, type FleetDevice, INTERVAL_SECONDS } from './fleet.ts'
import { openPool } from './pool.ts'

export interface HistoryOptions {
  slug: string
  euiPrefix: string
  hubs: number
  devices: number
  /** Readings stored, the latest from before `untilMs`. */
  rows: number
  /** Epoch milliseconds. */
  untilMs: number
  /** Told after every batch. */
  onRows?: (rows: number) => void
}

const ROWS_PER_BATCH = 50_000
const STATEMENT_TIMEOUT_MS = 600_000
/** Partitions are made at least so far ahead. */
const KEEP_EVERY_MS = 4 * 86_400_000

/**
 * Fills an empty database as if a fleet had been sending until now: its partitions have been made ahead as time went
 * by, written in the order of arrival, and closed when they had passed. Returns the devices, in the order of their
 * DevEUIs.
 */
export async function createHistory(url: string, options: HistoryOptions): Promise<FleetDevice[]> {
  const pool = openPool(url)
  const client = new Client({ connectionString: url })
  // What breaks the connection also fails the query under way.
  client.on('error', () => {})
  try {
    await client.connect()
    const devices = await createFleet(pool, options)
    await makePartitions(client, sinceMs(options), options.untilMs)
    await writeReadings(pool, devices, options)
    await closePartitions(client, new Date(options.untilMs))
    // As autovacuum leaves it: copies of the database must not be vacuumed while they are measured.
    await client.query('VACUUM (ANALYZE)')
    return devices
  } finally {
    await client.end()
    await pool.end()
  }
}

/** The beginning: each device has as many intervals as readings, and two more, as hubs send in turns. */
function sinceMs({ untilMs, rows, devices }: HistoryOptions): number {
  return untilMs - (Math.ceil(rows / devices) + 2) * INTERVAL_SECONDS * 1_000
}

/** Those of the migration are as wide as no fleet needs, so the ones from `fromMs` on are made anew, day after day. */
async function makePartitions(client: Client, fromMs: number, untilMs: number): Promise<void> {
  const db = drizzle(client)
  await client.query(`SET timezone = 'UTC'; SET datestyle = 'ISO'`)
  const { rows } = await db.execute<PartitionKeys & Record<string, unknown>>(PARTITION_KEYS)
  for (const { partition, bounds } of rows) {
    if (parseBounds(bounds).toMs > fromMs) await client.query(`DROP TABLE public.${partition}`)
  }
  for (let atMs = fromMs; atMs < untilMs; atMs += KEEP_EVERY_MS) await ensurePartitions(db, new Date(atMs))
  await ensurePartitions(db, new Date(untilMs))
}

async function writeReadings(
  pool: Pool,
  devices: readonly FleetDevice[],
  options: HistoryOptions,
): Promise<void> {
  const nextId = createBatchIds({ now: Date.now, process: 0 })
  const writer = randomUUID()
  let written = 0
  for (const readings of batches(devices, options)) {
    const batch = { readings, doors: [], rejected: [], hubStatuses: [], receipts: [] }
    const how = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, expectDuplicates: false }
    await writeBatch(pool, { id: nextId(), writer, ...batch }, how)
    written += readings.length
    options.onRows?.(written)
  }
}

function* batches(devices: readonly FleetDevice[], options: HistoryOptions): Generator<ReadingRow[]> {
  const intervalMs = INTERVAL_SECONDS * 1_000
  const rows = arrivals({
    devices: options.devices,
    devicesPerHub: Math.ceil(options.devices / options.hubs),
    intervalMs,
    hubSendMs: intervalMs,
  })
  const shiftMs = sinceMs(options) - FIRST_MS
  for (let left = options.rows; left > 0; ) {
    const batch = Array.from({ length: Math.min(left, ROWS_PER_BATCH) }, () => {
      const row = rows.next().value as ReadingRow
      const device = devices[row.deviceId - 1]
      if (!device) throw new Error(`The fleet has no device ${row.deviceId}.`)
      return {
        ...row,
        deviceId: device.id,
        unitId: device.unitId,
        organizationId: device.organizationId,
        recordedAtMs: row.recordedAtMs + shiftMs,
        receivedAtMs: row.receivedAtMs + shiftMs,
      }
    })
    left -= batch.length
    yield batch
  }
}
