import type { ClientBase } from 'pg'
import { deviceRows, timeOfLastRow } from '../db/evaluation/reading-rows.ts'
import { noteSilences } from './apply-inputs.ts'
import { hear } from './core/silence.ts'
import type { ReadingInput } from './core/types.ts'
import type { Reads } from './reads.ts'
import { isOfDevice } from './refusals.ts'
import type { SetAside } from './set-aside.ts'
import type { UnitContext } from './unit-context.ts'

/** Readings of a device that share their time of evaluation, at most: those of a clock that runs ahead do. */
const SAME_TIME_MAX = 1_000

/** The newest reading of each device of a unit, where it is newer than what was heard of it. */
async function newestReadings(client: ClientBase, unit: UnitContext): Promise<ReadingInput[]> {
  const readings: ReadingInput[] = []
  for (const { config, hearing } of unit.devices.values()) {
    const ofDevice = { unitId: unit.config.unitId, deviceId: config.deviceId }
    const atMs = await timeOfLastRow(client, { ...ofDevice, beforeMs: Infinity, count: 1 })
    if (atMs === undefined || atMs < (hearing.newestAtMs ?? -Infinity)) continue
    const newest = await deviceRows(client, { ...ofDevice, fromMs: atMs, limit: SAME_TIME_MAX })
    readings.push(...newest.slice(-1))
  }
  return readings
}

/** After so many reads of a turn that took too long, further units are read when they are tried again, one by one. */
const TIMEOUTS_MAX = 2

/** For a unit that was set aside: its devices were not silent meanwhile. Where that cannot be read, it stays aside. */
export async function hearNewest(
  unit: UnitContext,
  { reads, aside }: { reads: Reads; aside: SetAside },
): Promise<void> {
  try {
    if (reads.timeouts >= TIMEOUTS_MAX) throw new RangeError('others have taken too long to be read')
    const newest = await reads.once((client) => newestReadings(client, unit))
    hearReadings(unit, newest)
  } catch (error) {
    if (!isOfDevice(error)) throw error
    aside.setAside(unit.config.unitId, error)
  }
}

function hearReadings(unit: UnitContext, newest: readonly ReadingInput[]): void {
  for (const reading of newest) {
    const device = unit.devices.get(reading.deviceId)
    if (device) noteSilences(unit, device, hear(device.hearing, reading, device.listening))
  }
}
