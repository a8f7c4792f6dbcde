import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { encodeReadings, type ReadingRow, readingColumns } from '../../db/copy/readings.ts'
import { DEVICES_PER_UNIT } from './arrivals.ts'
import type { Layout } from './layouts.ts'

const COLUMNS = Object.keys(readingColumns).join(', ')

/** One open partition that is written and read with one of the layouts. */
export interface OpenPartition {
  layout: Layout
  table: string
}

/** A table like a partition of `sensor_readings`, keyed as the layout says. */
export async function createPartition(client: Client, layout: Layout, table: string): Promise<OpenPartition> {
  await client.query(`CREATE TABLE ${table} (LIKE public.sensor_readings)`)
  await client.query(`CREATE INDEX ON ${table} USING brin (batch_id) WITH (autosummarize = true)`)
  for (const sql of layout.open(table)) await client.query(sql)
  return { layout, table }
}

/** The rows of one COPY, encoded. */
export interface Batch {
  bytes: Buffer
  /** The newest time of measurement so far. */
  newestMs: number
}

export function encodeBatches(
  rows: Iterator<ReadingRow>,
  { batches, rowsPerBatch }: { batches: number; rowsPerBatch: number },
): Batch[] {
  let newestMs = 0
  return Array.from({ length: batches }, (_, batch) => {
    const taken = Array.from({ length: rowsPerBatch }, () => rows.next().value as ReadingRow)
    for (const row of taken) newestMs = Math.max(newestMs, row.recordedAtMs)
    return { bytes: encodeReadings(taken, BigInt(batch)), newestMs }
  })
}

/** Commits each batch in a transaction of its own. Returns the seconds it took. */
export async function writeBatches(
  client: Client,
  table: string,
  batches: readonly Batch[],
): Promise<number> {
  const began = performance.now()
  for (const { bytes } of batches) await copy(client, table, bytes)
  return (performance.now() - began) / 1_000
}

function copy(client: Client, table: string, bytes: Buffer): Promise<void> {
  const stream = client.query(copyFrom(`COPY ${table} (${COLUMNS}) FROM STDIN (FORMAT binary)`))
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('finish', () => resolve())
    stream.end(bytes)
  })
}

const DAY_MS = 86_400_000

/** Reads the last 24 hours of a random device or unit until told to stop; milliseconds of each read. */
export async function readUntil(
  client: Client,
  table: string,
  options: { devices: number; of: 'device' | 'unit'; newestMs: number; isDone: () => boolean },
): Promise<number[]> {
  const taken: number[] = []
  while (!options.isDone() || taken.length === 0) {
    const device = 1 + Math.floor(Math.random() * options.devices)
    const began = performance.now()
    await client.query(
      `SELECT recorded_at, temperature FROM ${table}
       WHERE device_id = ANY ($1::int[]) AND recorded_at > $2 ORDER BY recorded_at`,
      [
        options.of === 'device' ? [device] : unitOf(device, options.devices),
        new Date(options.newestMs - DAY_MS),
      ],
    )
    taken.push(performance.now() - began)
  }
  return taken
}

function unitOf(device: number, devices: number): number[] {
  const first = device - ((device - 1) % DEVICES_PER_UNIT)
  return Array.from({ length: DEVICES_PER_UNIT }, (_, index) => Math.min(first + index, devices))
}

/** Bytes on disk: the rows, and all indexes together. */
export async function sizeOf(client: Client, table: string): Promise<{ rows: number; indexes: number }> {
  const { rows } = await client.query<{ rows: string; indexes: string }>(
    'SELECT pg_table_size($1::regclass) AS rows, pg_indexes_size($1::regclass) AS indexes',
    [table],
  )
  return { rows: Number(rows[0]?.rows), indexes: Number(rows[0]?.indexes) }
}
