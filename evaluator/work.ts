import type { DoorRow } from '../db/copy/doors.ts'
import type { Calibration } from '../db/evaluation/calibrations.ts'
import type { DoorInput, ReadingInput } from './core/types.ts'
import type { PackedReadings } from './packed-rows.ts'

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

/** Puts readings that were just committed, from one place to before another, beside others, as they would be read from the database. */
export function addHandedReadings(
  work: Work,
  readings: PackedReadings,
  { from, to, offsets }: { from: number; to: number; offsets: Offsets },
): void {
  for (let index = from; index < to; index += 1) {
    const unitId = readings.unitIdAt(index)
    if (unitId === null) continue
    const reading = readings.readingAt(index)
    if (reading.temperatureCenti !== null) {
      reading.temperatureCenti += offsetAt(offsets.get(reading.deviceId), reading.atMs)
    }
    inUnit(work, unitId).readings.push(reading)
  }
}

/** The same with door events. */
export function addHandedDoors(work: Work, doors: readonly DoorRow[]): void {
  for (const row of doors) {
    if (row.unitId === null) continue
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
