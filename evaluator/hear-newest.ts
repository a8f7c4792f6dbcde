import type { ClientBase } from 'pg'
import { deviceRowsBefore } from '../db/evaluation/reading-rows.ts'
import { noteSilences } from './apply-inputs.ts'
import { hear } from './core/silence.ts'
import type { ReadingInput } from './core/types.ts'
import type { UnitContext } from './unit-context.ts'

/** The newest reading of each device of a unit, where it is newer than what was heard of it. */
export async function newestReadings(client: ClientBase, unit: UnitContext): Promise<ReadingInput[]> {
  const readings: ReadingInput[] = []
  for (const { config, hearing } of unit.devices.values()) {
    const span = { unitId: unit.config.unitId, deviceId: config.deviceId, limit: 1 }
    const notBeforeMs = hearing.newestAtMs ?? -Infinity
    readings.push(...(await deviceRowsBefore(client, { ...span, beforeMs: Infinity, notBeforeMs })))
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
