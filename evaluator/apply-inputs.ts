import { isInOrder, step } from './core/device.ts'
import { doorTimeline } from './core/doors.ts'
import { hear, type Silences } from './core/silence.ts'
import type { DoorInput, Episode, ReadingInput } from './core/types.ts'
import { deviceView } from './core/view.ts'
import { type DeviceContext, episodeKey, isOld, noteLate, noteOld, type UnitContext } from './unit-context.ts'

/**
 * Takes inputs of a unit into its states: what is in order makes a step, what is not is noted as late, for a refold. Each
 * input is in the database already. Returns how many belong to a device that the unit does not know.
 */
export function applyInputs(
  unit: UnitContext,
  { readings, doors }: { readings: readonly ReadingInput[]; doors: readonly DoorInput[] },
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

/** Takes note of raised episodes that are to be written. */
export function noteEpisodes(unit: UnitContext, episodes: readonly Episode[]): void {
  for (const episode of episodes) unit.changed.set(episodeKey(episode), episode)
}

const OF_THE_CLOCK: ReadonlySet<string> = new Set(['no_data', 'door_open'])

/** Whether it is not the readings of a device that raise it. */
export function isOfTheClock(conditionType: string): boolean {
  return OF_THE_CLOCK.has(conditionType)
}

/** Takes note of what was judged of a device's silence. */
export function noteSilences(unit: UnitContext, device: DeviceContext, silences: Silences): void {
  if (!silences.isNews) return
  unit.silent.add(device.config.deviceId)
  device.isUnsaved = true
  noteEpisodes(unit, silences.episodes)
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
    if (isNewest(device, input)) continue
    // Silence is about arrival: it is heard in the order in which it comes.
    noteSilences(unit, device, hear(device.hearing, input, device.listening))
    const { atMs } = input
    if (isOld(device, atMs)) noteOld(device, { fromMs: atMs, toMs: atMs })
    // Behind one that came late, the refold reads the others from the database.
    else if (device.late || !isInOrder(device.state, input)) noteLate(device, { fromMs: atMs, toMs: atMs })
    else noteEpisodes(unit, step(device.state, input, device.judging))
  }
  device.isUnsaved = true
  device.view = deviceView(device.state, device.judging)
  unit.isHeard = true
}

function inOrder(a: ReadingInput, b: ReadingInput): number {
  return a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs
}

/** Seen before: from the hand-over, or before a restart. */
export function isNewest({ state }: DeviceContext, { atMs, recordedAtMs }: ReadingInput): boolean {
  return state.atMs === atMs && state.recordedAtMs === recordedAtMs
}

function addDoors(unit: UnitContext, doors: readonly DoorInput[]): void {
  const known = new Set(unit.doors.map(doorKey))
  const added = doors.filter((door) => !known.has(doorKey(door)))
  // Also what is known: after a start it was read with the unit, and nothing has been judged by it.
  const fromMs = doors.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Infinity)
  unit.doorsFromMs = Math.min(unit.doorsFromMs ?? fromMs, fromMs)
  if (added.length > 0) {
    unit.doors.push(...added)
    unit.timeline = doorTimeline(unit.doors)
  }
  if (!judgesByDoors(unit)) return
  for (const device of unit.devices.values()) {
    // They were judged with the door in another state.
    if (device.state.atMs < fromMs) continue
    const note = isOld(device, fromMs) ? noteOld : noteLate
    note(device, { fromMs, toMs: device.state.atMs })
  }
}

/** Whether a rule leaves the confirm time to us, which is longer while the door is open. */
export function judgesByDoors({ config }: UnitContext): boolean {
  return config.tracks.some(({ versions }) =>
    versions.some(({ condition }) => 'forMs' in condition && condition.forMs === null),
  )
}

function doorKey({ deviceId, recordedAtMs, isOpen }: DoorInput): string {
  return `${deviceId} ${recordedAtMs} ${isOpen}`
}
