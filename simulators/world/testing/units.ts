import { type FaultName, parseFaults } from '../../faults/rates.ts'
import type { PlannedDevice, PlannedUnit } from '../../types.ts'

export const NO_FAULTS = parseFaults('none')

/** Midnight UTC: the hours of the physics are those since the start. */
export const START_MS = Date.UTC(2026, 0, 15)

/** Each unit type with limits that are usual for it. */
const UNIT_LIMITS: Record<string, [tempMin: number, tempMax: number]> = {
  fridge: [0, 5],
  freezer: [-26, -15],
  display_case: [0, 7],
  walk_in_cooler: [0, 5],
  walk_in_freezer: [-30, -15],
  blast_chiller: [-4, 3],
}

export const UNIT_TYPES = Object.keys(UNIT_LIMITS)

export function plannedUnit(unitType: string, fields: Partial<PlannedUnit> = {}): PlannedUnit {
  const [tempMin = null, tempMax = null] = Object.hasOwn(UNIT_LIMITS, unitType)
    ? (UNIT_LIMITS[unitType] ?? [])
    : []
  return { id: `Bistro/Kitchen/${unitType}`, unitType, tempMin, tempMax, devices: [], ...fields }
}

export function plannedDevice(number: number, fields: Partial<PlannedDevice> = {}): PlannedDevice {
  return {
    devEui: `24e124${String(number).padStart(10, '0')}`,
    deviceType: 'temperature',
    intervalSeconds: 60,
    hub: 'hub-1',
    ...fields,
  }
}

/** All rates 0 but these. */
export function onlyFaults(rates: Partial<Record<FaultName, number>>) {
  return { ...NO_FAULTS, ...rates }
}
