import { isInOrder, step } from './core/device.ts'
import { doorTimeline } from './core/doors.ts'
import { hear, type Silences } from './core/silence.ts'
import type { DoorInput, Episode, ReadingInput } from './core/types.ts'
import { boundedDoors } from './held-doors.ts'
import { type DeviceContext, episodeKey, isOld, noteLate, noteOld, type UnitContext } from './unit-context.ts'

/**
 * Takes inputs of a unit into its states: what is in order makes a step, what is not is noted as late, for a refold. Each
 * input is in the database already. Returns how many belong to a device that the unit does not know.
 */
export function applyInputs(
  unit: UnitContext,
  { readings, doors }: { readings: ReadingInput[]; doors: readonly DoorInput[] },
): number {
  if (doors.length > 0) addDoors(unit, doors)
  if (readings.length > 1) readings.sort(inOrder)
  const doorsFromMs = neededDoorsFromMs(unit)
  let unknown = 0
  for (const reading of readings) {
    const device = unit.devices.get(reading.deviceId)
    if (!device) {
      unknown += 1
      continue
    }
    applyReading(unit, device, { reading, doorsFromMs })
    device.isUnsaved = true
    device.view = undefined
    unit.isHeard = true
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

function applyReading(
  unit: UnitContext,
  device: DeviceContext,
  { reading, doorsFromMs }: { reading: ReadingInput; doorsFromMs: number },
): void {
  // Silence is about arrival: it is heard in the order in which it comes, also what a refold has read before its turn.
  if (!device.isUnheard) noteSilences(unit, device, hear(device.hearing, reading, device.listening))
  if (isNewest(device, reading)) return
  const { atMs } = reading
  if (isOld(device, atMs)) noteOld(device, { fromMs: atMs, toMs: atMs })
  // Behind one that came late, the refold reads the others from the database; and the doors that are not held.
  else if (device.late || !isInOrder(device.state, reading) || atMs < doorsFromMs)
    noteLate(device, { fromMs: atMs, toMs: atMs })
  else noteEpisodes(unit, step(device.state, reading, device.judging))
}

function inOrder(a: ReadingInput, b: ReadingInput): number {
  return a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs
}

/** Judged before: from the hand-over, before a restart, or in a refold. */
export function isNewest({ state }: DeviceContext, { atMs, recordedAtMs }: ReadingInput): boolean {
  return state.atMs === atMs && state.recordedAtMs === recordedAtMs
}

/** Without the doors of before it, which are not held, nothing can be judged; -Infinity: what is held is enough. */
export function neededDoorsFromMs(unit: UnitContext): number {
  const { heldFromMs } = unit.doors
  return Number.isFinite(heldFromMs) && judgesByDoors(unit) ? heldFromMs : -Infinity
}

function addDoors(unit: UnitContext, given: readonly DoorInput[]): void {
  const { events, heldFromMs } = unit.doors
  const known = new Set(events.map(doorKey))
  const added = given.filter((door) => door.atMs >= heldFromMs && !known.has(doorKey(door)))
  // Also what is known: after a start it was read with the unit, and nothing has been judged by it.
  const fromMs = given.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Infinity)
  unit.doorsFromMs = Math.min(unit.doorsFromMs ?? fromMs, fromMs)
  if (added.length > 0) {
    unit.doors = boundedDoors({ events: [...events, ...added], heldFromMs })
    unit.timeline = doorTimeline(unit.doors.events)
  }
  if (!judgesByDoors(unit)) return
  for (const device of unit.devices.values()) {
    // They were judged with the door in another state.
    if (device.state.atMs < fromMs) continue
    const late = { fromMs, toMs: device.state.atMs }
    if (isOld(device, fromMs)) {
      noteOld(device, late)
      // It waits until there is time: a restart must not forget it.
      device.isUnsaved = true
    } else noteLate(device, late)
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
