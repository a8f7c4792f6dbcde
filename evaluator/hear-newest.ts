import type { ClientBase } from 'pg'
import { deviceRows, timeOfLastRow } from '../db/evaluation/reading-rows.ts'
import { noteSilences } from './apply-inputs.ts'
import { hear } from './core/silence.ts'
import type { ReadingInput } from './core/types.ts'
import type { UnitContext } from './unit-context.ts'

/** Readings of a device that share their time of evaluation, at most: those of a clock that runs ahead do. */
const SAME_TIME_MAX = 1_000

/** The newest reading of each device of a unit, where it is newer than what was heard of it. */
export async function newestReadings(client: ClientBase, unit: UnitContext): Promise<ReadingInput[]> {
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

/** For a unit that was set aside: its devices were not silent meanwhile. */
export function hearNewest(unit: UnitContext, newest: readonly ReadingInput[]): void {
  for (const reading of newest) {
    const device = unit.devices.get(reading.deviceId)
    if (device) noteSilences(unit, device, hear(device.hearing, reading, device.listening))
  }
}
