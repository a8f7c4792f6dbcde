import { encodeRows } from './copy-writer.ts'
import type { Source } from './readings.ts'

export type DoorState = 'open' | 'closed'

/** A row of `door_events` as ingest hands it over; the duration is found when it is written. Times are epoch milliseconds. */
export interface DoorRow {
  deviceId: number
  unitId: number | null
  organizationId: number
  occurredAtMs: number
  receivedAtMs: number
  state: DoorState
  source: Source
}

/** Column → PostgreSQL type, in the order in which `encodeDoors` writes them. */
export const doorColumns = {
  device_id: 'int4',
  unit_id: 'int4',
  occurred_at: 'timestamptz',
  received_at: 'timestamptz',
  batch_id: 'int8',
  organization_id: 'int4',
  duration_seconds: 'float8',
  state: 'text',
  source: 'text',
} as const

const FIELDS = Object.keys(doorColumns).length
const ROW_BYTES_MAX = 2 + FIELDS * 4 + 44 + 16 + 16

/** The events of one batch, each with the seconds of the opening that it ends (null: none), as binary COPY data. Throws an `EncodingError`. */
export function encodeDoors(
  rows: readonly { row: DoorRow; durationSeconds: number | null }[],
  batchId: bigint,
): Buffer {
  return encodeRows(rows.length * ROW_BYTES_MAX, (copy) => {
    for (const { row, durationSeconds } of rows) {
      copy.beginRow(FIELDS)
      copy.int32(row.deviceId)
      copy.int32(row.unitId)
      copy.timestamp(row.occurredAtMs)
      copy.timestamp(row.receivedAtMs)
      copy.int64(batchId)
      copy.int32(row.organizationId)
      copy.float64(durationSeconds)
      copy.ascii(row.state)
      copy.ascii(row.source)
    }
  })
}
