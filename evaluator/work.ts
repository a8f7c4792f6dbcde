import type { Calibration } from '../db/evaluation/calibrations.ts'
import type { StoredDoor, StoredReading } from '../db/evaluation/inputs.ts'
import type { DoorInput, ReadingInput } from './core/types.ts'
import type { HandedBatch } from './hand-over.ts'
import type { Stamp } from './packed-rows.ts'

/** What one message said of a unit. */
export interface Arrival extends Stamp {
  readings: ReadingInput[]
  doors: DoorInput[]
}

/** Messages by the unit in which their rows were measured, in order of arrival. */
export type Work = Map<number, Arrival[]>

/** The offsets of each device, in order of time. */
export type Offsets = ReadonlyMap<number, readonly Calibration[]>

/** Rows that were read from the database. What came in the same millisecond counts as one message. */
export function storedWork({ readings, doors }: { readings: StoredReading[]; doors: StoredDoor[] }): Work {
  const work: Work = new Map()
  readings.sort(byArrival)
  doors.sort(byArrival)
  inOrderOfArrival(readings, doors, {
    reading: (row) => arrivalOf(work, row.unitId, arrivedAt(row)).readings.push(row),
    door: (row) => arrivalOf(work, row.unitId, arrivedAt(row)).doors.push(row),
  })
  return work
}

/**
 * Puts the rows of a batch that was just committed behind others, as they would be read from the database: readings from one place
 * to before another, and with the first of them all door events.
 */
export function addHanded(
  work: Work,
  { readings, doors }: Pick<HandedBatch, 'readings' | 'doors'>,
  { from, to, offsets }: { from: number; to: number; offsets: Offsets },
): void {
  let nextDoor = from === 0 ? 0 : doors.length
  const addDoors = (untilMs: number) => {
    for (let next = doors[nextDoor]; next && next.arrivedAtMs <= untilMs; next = doors[nextDoor]) {
      arrivalOf(work, next.unitId, next).doors.push(next.door)
      nextDoor += 1
    }
  }
  for (let index = from; index < to; index += 1) {
    const unitId = readings.unitIdAt(index)
    if (unitId === null) continue
    const arrivedAtMs = readings.arrivedAtMsAt(index)
    addDoors(arrivedAtMs)
    const reading = readings.readingAt(index)
    if (reading.temperatureCenti !== null) {
      reading.temperatureCenti += offsetAt(offsets.get(reading.deviceId), reading.atMs)
    }
    const message = readings.messageAt(index)
    const arrivals = arrivalsOf(work, unitId)
    const last = arrivals.at(-1)
    if (last?.message === message) last.readings.push(reading)
    // Most messages have one reading: V8 makes room for 17 in a list that one is put into.
    else arrivals.push({ message, arrivedAtMs, readings: [reading], doors: [] })
  }
  addDoors(Infinity)
}

/** Batches are not always committed in the order in which their messages arrived. */
export function sortByArrival(work: Work): void {
  for (const arrivals of work.values()) {
    if (arrivals.length > 1) arrivals.sort((a, b) => a.arrivedAtMs - b.arrivedAtMs)
  }
}

/** Several messages as if they had come as one. */
export function joined(arrivals: readonly Arrival[]): Arrival {
  return {
    message: undefined,
    arrivedAtMs: arrivals[0]?.arrivedAtMs ?? 0,
    readings: arrivals.flatMap(({ readings }) => readings),
    doors: arrivals.flatMap(({ doors }) => doors),
  }
}

export function rowsOf(arrival: Arrival | undefined): number {
  return arrival ? arrival.readings.length + arrival.doors.length : 0
}

/** Whether there is something of a unit or device that is not among these. */
export function isAnyUnknown(
  work: Work,
  units: ReadonlyMap<number, { devices: ReadonlyMap<number, unknown> }>,
): boolean {
  for (const [unitId, arrivals] of work) {
    const devices = units.get(unitId)?.devices
    if (!devices) return true
    for (const { readings, doors } of arrivals) {
      for (const { deviceId } of readings) if (!devices.has(deviceId)) return true
      for (const { deviceId } of doors) if (!devices.has(deviceId)) return true
    }
  }
  return false
}

interface Arrived {
  receivedAtMs: number
}

/** Both are in order already; of the same millisecond, doors come first. */
function inOrderOfArrival<R extends Arrived, D extends Arrived>(
  readings: readonly R[],
  doors: readonly D[],
  take: { reading: (row: R) => void; door: (row: D) => void },
): void {
  let next = 0
  for (const reading of readings) {
    for (let door = doors[next]; door && door.receivedAtMs <= reading.receivedAtMs; door = doors[next]) {
      take.door(door)
      next += 1
    }
    take.reading(reading)
  }
  for (const door of doors.slice(next)) take.door(door)
}

function byArrival(a: Arrived, b: Arrived): number {
  return a.receivedAtMs - b.receivedAtMs
}

function arrivedAt({ receivedAtMs }: Arrived): Stamp {
  return { message: receivedAtMs, arrivedAtMs: receivedAtMs }
}

function arrivalOf(work: Work, unitId: number, { message, arrivedAtMs }: Stamp): Arrival {
  const arrivals = arrivalsOf(work, unitId)
  const last = arrivals.at(-1)
  if (last !== undefined && last.message === message) return last
  const added = { message, arrivedAtMs, readings: [], doors: [] }
  arrivals.push(added)
  return added
}

function arrivalsOf(work: Work, unitId: number): Arrival[] {
  const known = work.get(unitId)
  if (known) return known
  const added: Arrival[] = []
  work.set(unitId, added)
  return added
}

function offsetAt(calibrations: readonly Calibration[] | undefined, atMs: number): number {
  return calibrations?.findLast(({ fromMs }) => fromMs <= atMs)?.offsetCenti ?? 0
}
