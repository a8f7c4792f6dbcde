import { missedCheckIns } from './core/silence.ts'
import { type StatusDevice, type UnitStatus, unitStatus } from './core/unit-status.ts'
import { type DeviceContext, type UnitContext, viewOf } from './unit-context.ts'

const OUT_OF_SIGHT: ReadonlySet<UnitStatus> = new Set([
  'offline',
  'monitoring_interrupted',
  'manual_required',
])

/** The status of a unit at the clock, from what is known of its devices. */
function statusAt(unit: UnitContext, at: { nowMs: number; isAnyUnheard: boolean }): UnitStatus {
  const devices: StatusDevice[] = []
  const alarms: { newestIsGood: boolean }[] = []
  for (const device of unit.devices.values()) {
    if (!device.config.hasTemperature) continue
    devices.push(statusDevice(unit, device, at))
    const { isRaisedAlarm, isGood } = viewOf(device)
    if (isRaisedAlarm) alarms.push({ newestIsGood: isGood })
  }
  return unitStatus({ devices, alarms, unit: unit.config, previous: unit.status, nowMs: at.nowMs })
}

function statusDevice(
  unit: UnitContext,
  device: DeviceContext,
  { nowMs, isAnyUnheard }: { nowMs: number; isAnyUnheard: boolean },
): StatusDevice {
  const { hearing, config, isUnheard } = device
  const view = viewOf(device)
  const openSinceMs = view.newestAtMs === null ? null : unit.timeline.openSinceMs(view.newestAtMs)
  return {
    // As it was heard, not as it was judged: what came late may wait, and its view stands still meanwhile.
    newestAtMs: isUnheard ? null : hearing.newestAtMs,
    // Behind a hub that is away it has no alert of its own, but nobody sees how it is.
    missed: isUnheard ? null : missedCheckIns(hearing, { device: config, pauses: unit.downtimes }, nowMs),
    temperatureCenti: view.temperatureCenti,
    isPending: view.isPending,
    goodInARow: isAnyUnheard ? Math.min(view.goodInARow, 1) : goodInARow(unit, device),
    doorOpenForMs: openSinceMs === null || view.newestAtMs === null ? null : view.newestAtMs - openSinceMs,
  }
}

/** What is not judged, or of a fault, is not known to be good: by what was before, the unit is in sight again, and not in order. */
function goodInARow(unit: UnitContext, device: DeviceContext): number {
  const heardAtMs = device.hearing.newestAtMs ?? -Infinity
  const view = viewOf(device)
  if (heardAtMs <= (device.state.temperatureAtMs ?? -Infinity)) return view.goodInARow
  const isJudged = heardAtMs <= (view.newestAtMs ?? -Infinity)
  return !isJudged && OUT_OF_SIGHT.has(unit.status) ? 1 : Math.min(view.goodInARow, 1)
}

/** Takes over the status of now, as far as it is known; returns whether it is another one than before. */
export function updateStatus(unit: UnitContext, nowMs: number): boolean {
  const isAnyUnheard = hasUnheard(unit)
  const status = statusAt(unit, { nowMs, isAnyUnheard })
  // A device that is still to be heard may have sent all the time.
  if (isAnyUnheard && OUT_OF_SIGHT.has(status)) return false
  const isOther = status !== unit.status
  unit.status = status
  return isOther
}

function hasUnheard({ devices }: UnitContext): boolean {
  for (const { isUnheard, config } of devices.values()) if (isUnheard && config.hasTemperature) return true
  return false
}
