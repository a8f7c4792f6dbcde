import { missedCheckIns } from './core/silence.ts'
import { type StatusDevice, type UnitStatus, unitStatus } from './core/unit-status.ts'
import { type DeviceContext, type UnitContext, viewOf } from './unit-context.ts'

/** The status of a unit at the clock, from what is known of its devices. */
function statusAt(unit: UnitContext, nowMs: number): UnitStatus {
  const devices: StatusDevice[] = []
  const alarms: { newestIsGood: boolean }[] = []
  for (const device of unit.devices.values()) {
    if (!device.config.hasTemperature) continue
    devices.push(statusDevice(unit, device, nowMs))
    const { isRaisedAlarm, isGood } = viewOf(device)
    if (isRaisedAlarm) alarms.push({ newestIsGood: isGood })
  }
  return unitStatus({ devices, alarms, unit: unit.config, previous: unit.status, nowMs })
}

function statusDevice(unit: UnitContext, device: DeviceContext, nowMs: number): StatusDevice {
  const { hearing, config } = device
  const view = viewOf(device)
  const openSinceMs = view.newestAtMs === null ? null : unit.timeline.openSinceMs(view.newestAtMs)
  return {
    // As it was heard, not as it was judged: what came late may wait, and its view stands still meanwhile.
    newestAtMs: hearing.newestAtMs,
    // Behind a hub that is away it has no alert of its own, but nobody sees how it is.
    missed: missedCheckIns(hearing, { device: config, pauses: unit.downtimes }, nowMs),
    temperatureCenti: view.temperatureCenti,
    isPending: view.isPending,
    goodInARow: view.goodInARow,
    doorOpenForMs: openSinceMs === null || view.newestAtMs === null ? null : view.newestAtMs - openSinceMs,
  }
}

/** Takes over the status of now, where it is known who is silent; returns whether it is another one than before. */
export function updateStatus(unit: UnitContext, nowMs: number): boolean {
  for (const { isUnheard } of unit.devices.values()) if (isUnheard) return false
  const status = statusAt(unit, nowMs)
  const isOther = status !== unit.status
  unit.status = status
  return isOther
}
