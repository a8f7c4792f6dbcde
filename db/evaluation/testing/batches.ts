import type { Pool } from 'pg'
import { createBatchIds } from '../../batches/batch-id.ts'
import { writeBatch } from '../../batches/write-batch.ts'
import type { DoorRow } from '../../copy/doors.ts'
import type { ReadingRow } from '../../copy/readings.ts'
import type { TestFleet } from '../../testing/fleet.ts'

const nextId = createBatchIds({ now: Date.now, process: 9 })
const WRITER = '00000000-0000-4000-8000-000000000009'
const OPTIONS = { statementTimeoutMs: 30_000, expectDuplicates: false }

/** Commits a batch as ingest does, and returns its id. */
export async function storeBatch(
  pool: Pool,
  { readings = [], doors = [] }: { readings?: readonly ReadingRow[]; doors?: readonly DoorRow[] },
): Promise<bigint> {
  const id = nextId()
  const rest = { rejected: [], hubStatuses: [], receipts: [] }
  await writeBatch(pool, { id, writer: WRITER, readings, doors, ...rest }, OPTIONS)
  return id
}

/** A reading of the fleet's n-th device, received a quarter of a second later. */
export function readingOf(
  fleet: TestFleet,
  device: number,
  recordedAtMs: number,
  change: Partial<ReadingRow> = {},
): ReadingRow {
  return {
    deviceId: fleet.devices[device]?.id ?? 0,
    unitId: fleet.unitId,
    organizationId: fleet.organizationId,
    recordedAtMs,
    receivedAtMs: recordedAtMs + 250,
    temperature: 4.4,
    humidity: 51.2,
    battery: 88,
    rssi: -91,
    snr: 7.5,
    fault: null,
    source: 'hub',
    ...change,
  }
}

/** A door event of the fleet's n-th device, received at once. */
export function doorOf(
  fleet: TestFleet,
  device: number,
  occurredAtMs: number,
  change: Partial<DoorRow> = {},
): DoorRow {
  return {
    deviceId: fleet.devices[device]?.id ?? 0,
    unitId: fleet.unitId,
    organizationId: fleet.organizationId,
    occurredAtMs,
    receivedAtMs: occurredAtMs,
    state: 'open',
    source: 'hub',
    ...change,
  }
}
