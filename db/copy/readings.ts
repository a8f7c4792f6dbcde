import { encodeRows } from './copy-writer.ts'

/**
 * Who gave the time of a reading or event: its hub, the device itself, a network server, or nobody (time of arrival).
 * `simulated`: somebody typed it into a network server's console; it raises nothing.
 */
export type Source = 'hub' | 'device' | 'network' | 'arrival' | 'simulated'

/** A row of `sensor_readings` as ingest writes it. Times are epoch milliseconds. */
export interface ReadingRow {
  deviceId: number
  unitId: number | null
  organizationId: number
  recordedAtMs: number
  receivedAtMs: number
  temperature: number | null
  humidity: number | null
  battery: number | null
  rssi: number | null
  snr: number | null
  fault: string | null
  source: Source
  /** It is known or suspected to be stored already; see `writeBatch`. */
  mayBeStored?: boolean
}

/** Column → PostgreSQL type, in the order in which `encodeReadings` writes them. */
export const readingColumns = {
  device_id: 'int4',
  unit_id: 'int4',
  recorded_at: 'timestamptz',
  received_at: 'timestamptz',
  batch_id: 'int8',
  organization_id: 'int4',
  temperature: 'float4',
  humidity: 'float4',
  snr: 'float4',
  rssi: 'int2',
  battery: 'int2',
  source: 'text',
  fault: 'text',
} as const

const FIELDS = Object.keys(readingColumns).length
/** Thirteen lengths, the fixed widths, and the longest words for `source` and `fault`. */
const ROW_BYTES_MAX = 2 + FIELDS * 4 + 52 + 16 + 32

/** The rows of one batch as binary COPY data. Throws an `EncodingError`. */
export function encodeReadings(rows: readonly ReadingRow[], batchId: bigint): Buffer {
  return encodeRows(rows.length * ROW_BYTES_MAX, (copy) => {
    for (const row of rows) {
      copy.beginRow(FIELDS)
      copy.int32(row.deviceId)
      copy.int32(row.unitId)
      copy.timestamp(row.recordedAtMs)
      copy.timestamp(row.receivedAtMs)
      copy.int64(batchId)
      copy.int32(row.organizationId)
      copy.float32(row.temperature)
      copy.float32(row.humidity)
      copy.float32(row.snr)
      copy.int16(row.rssi)
      copy.int16(row.battery)
      copy.ascii(row.source)
      copy.ascii(row.fault)
    }
  })
}
