import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onConnection } from '../db/batches/transaction.ts'
import { writeBatch } from '../db/batches/write-batch.ts'
import type { DoorRow } from '../db/copy/doors.ts'
import type { ReadingRow } from '../db/copy/readings.ts'
import { batchRows } from '../db/evaluation/batch-rows.ts'
import { readCalibrations } from '../db/evaluation/calibrations.ts'
import { HandOver } from './hand-over.ts'
import { inSlices } from './slices.ts'
import { type EvaluatedFleet, openEvaluatedFleet } from './testing/evaluated-fleet.ts'
import { handed as packed } from './testing/handing.ts'
import { joined, storedWork, type Work } from './work.ts'

const ID = 4_711n
/** Hundredths between two, halves among them, on both sides of zero. */
const TEMPERATURES = [4.405, -4.405, 4.125, -4.125, -0.005, 0.005, 21.999, -18.004_9, null]

let fleet: EvaluatedFleet
beforeAll(async () => {
  fleet = await openEvaluatedFleet({ rules: [], minutes: 60 })
})
afterAll(() => fleet.close())

test('what is handed over is what would be read: calibrated, rounded, without what is simulated or stands nowhere', async () => {
  const pool = fleet.db.$client
  const [deviceId = 0] = fleet.devices
  const at = (minute: number) => fleet.beginMs + minute * 60_000
  await pool.query(
    `INSERT INTO calibration_records (organization_id, device_id, calibrated_at, temperature_offset)
     SELECT organization_id, id, to_timestamp($2::float8 / 1000), -0.37 FROM devices WHERE id = $1`,
    [deviceId, at(4)],
  )
  const row = {
    deviceId,
    unitId: fleet.unitId,
    organizationId: 1,
    receivedAtMs: at(6),
    source: 'hub' as const,
  }
  const plain = { ...row, humidity: null, battery: 55, rssi: null, snr: null, fault: null }
  const readings: ReadingRow[] = [
    ...TEMPERATURES.map((temperature, index) => ({ ...plain, temperature, recordedAtMs: at(index) })),
    { ...plain, temperature: 5, fault: 'no_probe', recordedAtMs: at(20) },
    { ...plain, temperature: 5, source: 'simulated', recordedAtMs: at(21) },
    { ...plain, temperature: 5, unitId: null, recordedAtMs: at(22) },
  ]
  const doors: DoorRow[] = [
    { ...row, occurredAtMs: at(1), state: 'open' },
    { ...row, occurredAtMs: at(9), state: 'closed' },
  ]
  const batch = { id: ID, writer: randomUUID(), readings, doors, rejected: [], hubStatuses: [], receipts: [] }
  await writeBatch(pool, batch, { statementTimeoutMs: 30_000, expectDuplicates: false })

  const calibrations = await onConnection(pool, readCalibrations)
  const offsets = Map.groupBy(calibrations, (calibration) => calibration.deviceId)
  const handOver = new HandOver(100)
  handOver.open(0n)
  handOver.offer(packed(batch), ID)
  const [handed = new Map(), ...others] = [...inSlices(handOver.take(), () => offsets)]
  expect(others).toEqual([])
  const inLedger = { id: ID, readings: readings.length, doors: doors.length }
  const times = { recordedFromMs: null, recordedToMs: null, committedAtMs: null, tx: '1' }
  const stored = storedWork(
    await onConnection(pool, (client) => batchRows(client, [{ ...inLedger, ...times }])),
  )

  expect(inOrder(handed)).toEqual(inOrder(stored))
  expect(inOrder(handed)[0]?.readings).toHaveLength(TEMPERATURES.length + 1)
})

function inOrder(work: Work) {
  return [...work].map(([unitId, arrivals]) => {
    const { readings, doors } = joined(arrivals)
    return {
      unitId,
      readings: readings.map(plainly).sort((a, b) => a.recordedAtMs - b.recordedAtMs),
      doors: doors.map(plainly).sort((a, b) => a.recordedAtMs - b.recordedAtMs),
    }
  })
}

/** Rows from the database also say their unit. */
function plainly<T extends object>(input: T): T {
  const copy = { ...input }
  Reflect.deleteProperty(copy, 'unitId')
  return copy
}
