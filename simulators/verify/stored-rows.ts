import type { Client } from 'pg'
import type { StoredRow } from './comparison.ts'

/** Rows that are in memory at once. */
const PAGE_ROWS = 10_000

/** Where one kind of item is stored. */
export interface StoredTable {
  name: string
  timeColumn: string
  /** Field → SQL; in the widths that JavaScript reads without loss. */
  fields: Readonly<Record<string, string>>
}

export const READINGS_TABLE: StoredTable = {
  name: 'public.sensor_readings',
  timeColumn: 'recorded_at',
  fields: {
    temperature: 'temperature::float8',
    humidity: 'humidity::float8',
    snr: 'snr::float8',
    rssi: 'rssi',
    battery: 'battery',
    fault: 'fault',
  },
}

export const DOORS_TABLE: StoredTable = {
  name: 'public.door_events',
  timeColumn: 'occurred_at',
  fields: { state: 'state' },
}

/** Which rows of a table a run may have to do with. Times are epoch milliseconds. */
export interface StoredRange {
  /** Database id → index in the ledger's subject. */
  devices: ReadonlyMap<number, number>
  startedAtMs: number
  /** The times in the ledger, both included. */
  fromMs: number
  toMs: number
}

/**
 * All rows of our devices that were received since the run began, or whose time is one that the ledger may have, page by
 * page, as of one moment. A cursor needs a transaction, which also works behind a pooler in transaction mode.
 */
export async function* storedRows(
  client: Client,
  table: StoredTable,
  range: StoredRange,
): AsyncGenerator<StoredRow[]> {
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')
  try {
    await client.query(declareCursor(table), [
      [...range.devices.keys()],
      range.startedAtMs,
      range.fromMs,
      range.toMs,
    ])
    for (;;) {
      const { rows } = await client.query<unknown[]>({
        text: `FETCH ${PAGE_ROWS} FROM stored_rows`,
        rowMode: 'array',
      })
      if (rows.length === 0) return
      yield rows.map((row) => storedRow(row, Object.keys(table.fields), range.devices))
    }
  } finally {
    await client.query('ROLLBACK')
  }
}

function declareCursor({ name, timeColumn, fields }: StoredTable): string {
  return `DECLARE stored_rows NO SCROLL CURSOR FOR
    SELECT device_id, round(extract(epoch FROM ${timeColumn}) * 1000)::float8,
      received_at >= to_timestamp($2::float8 / 1000), ${Object.values(fields).join(', ')}
    FROM ${name}
    WHERE device_id = ANY ($1::int[]) AND (received_at >= to_timestamp($2::float8 / 1000)
      OR ${timeColumn} BETWEEN to_timestamp($3::float8 / 1000) AND to_timestamp($4::float8 / 1000))`
}

function storedRow(
  row: readonly unknown[],
  fields: readonly string[],
  devices: StoredRange['devices'],
): StoredRow {
  const [deviceId, at, isOurs, ...values] = row
  const named = fields.map((field, index) => [field, values[index] as number | string | null] as const)
  return {
    device: devices.get(Number(deviceId)) ?? -1,
    at: Number(at),
    isOurs: isOurs === true,
    values: Object.fromEntries(named),
  }
}
