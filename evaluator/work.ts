import type { Calibration } from '../db/evaluation/calibrations.ts'
import { toCenti } from '../db/evaluation/centi.ts'
import type { CommittedBatch } from '../ingest/committed.ts'
import type { DoorInput, ReadingInput } from './core/types.ts'

/** Inputs by the unit in which they were measured. */
export type Work = Map<number, { readings: ReadingInput[]; doors: DoorInput[] }>

/** The offsets of each device, in order of time. */
export type Offsets = ReadonlyMap<number, readonly Calibration[]>

/** Puts inputs that were read from the database beside others. */
export function addStored(
  work: Work,
  rows: {
    readings: readonly (ReadingInput & { unitId: number })[]
    doors: readonly (DoorInput & { unitId: number })[]
  },
): void {
  for (const reading of rows.readings) inUnit(work, reading.unitId).readings.push(reading)
  for (const door of rows.doors) inUnit(work, door.unitId).doors.push(door)
}

/** Puts the rows of a batch that was just committed beside others, as they would be read from the database: simulated ones are not. */
export function addHanded(work: Work, batch: CommittedBatch, offsets: Offsets): void {
  for (const row of batch.readings) {
    if (row.unitId === null || row.source === 'simulated') continue
    const atMs = Math.min(row.recordedAtMs, row.receivedAtMs)
    inUnit(work, row.unitId).readings.push({
      kind: 'reading',
      deviceId: row.deviceId,
      atMs,
      recordedAtMs: row.recordedAtMs,
      receivedAtMs: row.receivedAtMs,
      temperatureCenti:
        row.temperature === null || row.fault !== null
          ? null
          : toCenti(row.temperature) + offsetAt(offsets.get(row.deviceId), atMs),
      battery: row.battery,
      fault: row.fault,
    })
  }
  for (const row of batch.doors) {
    if (row.unitId === null || row.source === 'simulated') continue
    inUnit(work, row.unitId).doors.push({
      kind: 'door',
      deviceId: row.deviceId,
      atMs: Math.min(row.occurredAtMs, row.receivedAtMs),
      recordedAtMs: row.occurredAtMs,
      receivedAtMs: row.receivedAtMs,
      isOpen: row.state === 'open',
    })
  }
}

function inUnit(work: Work, unitId: number): { readings: ReadingInput[]; doors: DoorInput[] } {
  const known = work.get(unitId)
  if (known) return known
  const added = { readings: [], doors: [] }
  work.set(unitId, added)
  return added
}

function offsetAt(calibrations: readonly Calibration[] | undefined, atMs: number): number {
  return calibrations?.findLast(({ fromMs }) => fromMs <= atMs)?.offsetCenti ?? 0
}
