import { deviceView, isInOrder, step } from './core/device.ts'
import { doorTimeline } from './core/doors.ts'
import type { DoorInput, ReadingInput } from './core/types.ts'
import { type DeviceContext, episodeKey, type UnitContext } from './unit-context.ts'

/** Door events that a unit remembers; older ones are read again when something late comes. */
const DOORS_KEPT_MS = 7 * 24 * 3_600_000

/**
 * Takes inputs of a unit into its states: what is in order makes a step, what is not is noted as late, for a refold. Each
 * input is in the database already. Says how many belong to a device that the unit does not know.
 */
export function applyInputs(
  unit: UnitContext,
  readings: readonly ReadingInput[],
  doors: readonly DoorInput[],
): number {
  if (doors.length > 0) addDoors(unit, doors)
  let unknown = 0
  for (const [deviceId, inputs] of byDevice(readings)) {
    const device = unit.devices.get(deviceId)
    if (device) applyReadings(unit, device, inputs)
    else unknown += inputs.length
  }
  return unknown
}

function byDevice(readings: readonly ReadingInput[]): Map<number, ReadingInput[]> {
  const groups = new Map<number, ReadingInput[]>()
  for (const input of readings) {
    const group = groups.get(input.deviceId)
    if (group) group.push(input)
    else groups.set(input.deviceId, [input])
  }
  return groups
}

function applyReadings(unit: UnitContext, device: DeviceContext, inputs: ReadingInput[]): void {
  if (inputs.length > 1) inputs.sort(inOrder)
  for (const input of inputs) {
    // The refold reads what comes after the late one from the database.
    if (device.late || !isInOrder(device.state, input)) {
      if (!isNewest(device, input)) noteLate(device, input.atMs, input.atMs)
      continue
    }
    for (const episode of step(device.state, input, device.judging))
      unit.changed.set(episodeKey(episode), { ...episode })
  }
  device.isUnsaved = true
  device.view = deviceView(device.state, device.judging)
}

function inOrder(a: ReadingInput, b: ReadingInput): number {
  return a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs
}

/** Seen before: after a restart, or by the ledger after the hand-over. */
function isNewest({ state }: DeviceContext, { atMs, recordedAtMs }: ReadingInput): boolean {
  return state.newestAtMs === atMs && state.newestRecordedAtMs === recordedAtMs
}

/** The device must be folded again from its rows, at least from one time to the other. */
export function noteLate(device: DeviceContext, fromMs: number, toMs: number): void {
  device.late = {
    fromMs: Math.min(device.late?.fromMs ?? fromMs, fromMs),
    toMs: Math.max(device.late?.toMs ?? toMs, toMs),
  }
}

function addDoors(unit: UnitContext, doors: readonly DoorInput[]): void {
  const fromMs = doors.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Number.POSITIVE_INFINITY)
  unit.doorsFromMs = Math.min(unit.doorsFromMs ?? fromMs, fromMs)
  unit.doors = [...unit.doors, ...doors]
  unit.timeline = doorTimeline(unit.doors)
  for (const device of unit.devices.values()) {
    // Readings that were judged with another state of the door.
    if (device.state.newestAtMs >= fromMs && dependsOnDoors(device, unit))
      noteLate(device, fromMs, device.state.newestAtMs)
  }
}
