import type { UnitConfig } from './types.ts'

export type UnitStatus =
  | 'ok'
  | 'excursion'
  | 'alarm_active'
  | 'monitoring_interrupted'
  | 'manual_required'
  | 'restoring'
  | 'offline'

/** From so many missed check-ins on a unit counts as not watched, whatever its rules for silence say. */
const INTERRUPTED_CHECK_INS = 5
const MANUAL_AFTER_MS = 4 * 3_600_000
/** A door open for less is no reason to show an excursion. */
const DOOR_TOLERANCE_MS = 1_200_000

/** A temperature device of a unit. */
export interface StatusDevice {
  /** When it was last heard, in evaluation time; null = never a reading. */
  newestAtMs: number | null
  /** Check-ins missed at the clock; null = never a reading. */
  missed: number | null
  /** The same of its newest temperature: readings of faults, or of batteries alone, say nothing of the unit. */
  temperatureMissed: number | null
  /** The newest temperature that is known; null = none. */
  temperatureCenti: number | null
  /** Whether an excursion of a rule is pending. */
  isPending: boolean
  goodInARow: number
  /** For how long the door had been open at its newest reading; null = closed. */
  doorOpenForMs: number | null
}

/** Nobody sees how the unit is. */
export const OUT_OF_SIGHT: ReadonlySet<UnitStatus> = new Set([
  'offline',
  'monitoring_interrupted',
  'manual_required',
])

export interface StatusInput {
  devices: readonly StatusDevice[]
  /** The episodes of alerts of type alarm_active that are open. */
  alarms: readonly { newestIsGood: boolean }[]
  unit: Pick<UnitConfig, 'tempMinCenti' | 'tempMaxCenti' | 'manualMonitoringRequired'>
  previous: UnitStatus
  nowMs: number
}

/**
 * The status of a unit: from its silence first, then from its alerts and readings. It may pass over several at once; what it
 * passes over is only seen where it is asked after each reading.
 */
export function unitStatus(input: StatusInput): UnitStatus {
  return silenceStatus(input) ?? excursionStatus(input) ?? recoveryStatus(input)
}

function silenceStatus({ devices, unit, nowMs }: StatusInput): UnitStatus | undefined {
  const newest = newestOf(devices)
  if (newest === undefined) return 'offline'
  if (newest.missed === 0) return undefined
  if (newest.missed < INTERRUPTED_CHECK_INS) return 'offline'
  const isManual = unit.manualMonitoringRequired && nowMs - newest.newestAtMs >= MANUAL_AFTER_MS
  return isManual ? 'manual_required' : 'monitoring_interrupted'
}

function excursionStatus({ devices, alarms, unit, previous }: StatusInput): UnitStatus | undefined {
  if (alarms.some(({ newestIsGood }) => !newestIsGood)) return 'alarm_active'
  const isShown = (device: StatusDevice): boolean =>
    isBeyond(device, unit) && !(previous === 'ok' && isDoorTolerated(device))
  return devices.some(isShown) ? 'excursion' : undefined
}

/**
 * Only good readings lead from anything else to ok. A device of which no temperature comes, because it is silent or says only
 * faults, holds nothing up beside one of which they come: that has an alert of its own.
 */
function recoveryStatus({ devices, previous }: StatusInput): UnitStatus {
  if (previous === 'ok') return 'ok'
  const measuring = devices.filter(({ temperatureMissed }) => temperatureMissed === 0)
  if (measuring.length > 0) {
    const goodInARow = leastGoodOf(measuring)
    if (goodInARow >= 2) return 'ok'
    return goodInARow === 1 ? 'restoring' : previous
  }
  if (OUT_OF_SIGHT.has(previous)) return previous
  // What was out may be so no more, by another rule; by what was before, it is not in order.
  const heard = devices.filter(({ missed }) => missed === 0)
  return leastGoodOf(heard) > 0 ? 'restoring' : previous
}

function leastGoodOf(devices: readonly StatusDevice[]): number {
  return Math.min(...devices.map(({ goodInARow }) => goodInARow))
}

function newestOf(devices: readonly StatusDevice[]): { newestAtMs: number; missed: number } | undefined {
  let newest: { newestAtMs: number; missed: number } | undefined
  for (const { newestAtMs, missed } of devices) {
    if (newestAtMs === null || missed === null) continue
    const laterMs = newestAtMs - (newest?.newestAtMs ?? -Infinity)
    const isNewer = laterMs > 0 || (laterMs === 0 && missed < (newest?.missed ?? Infinity))
    if (isNewer) newest = { newestAtMs, missed }
  }
  return newest
}

function isBeyond(device: StatusDevice, { tempMinCenti, tempMaxCenti }: StatusInput['unit']): boolean {
  if (device.isPending) return true
  if (device.temperatureCenti === null) return false
  return (
    device.temperatureCenti > (tempMaxCenti ?? Infinity) ||
    device.temperatureCenti < (tempMinCenti ?? -Infinity)
  )
}

function isDoorTolerated({ doorOpenForMs }: StatusDevice): boolean {
  return doorOpenForMs !== null && doorOpenForMs < DOOR_TOLERANCE_MS
}
