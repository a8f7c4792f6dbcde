import { missedCheckIns } from './core/silence.ts'
import { type StatusDevice, type UnitStatus, unitStatus } from './core/unit-status.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

/** The status of a unit at the clock, from what is known of its devices. */
export function statusAt(unit: UnitContext, nowMs: number): UnitStatus {
  const devices = [...unit.devices.values()].filter(({ config }) => config.hasTemperature)
  return unitStatus({
    devices: devices.map((device) => statusDevice(unit, device, nowMs)),
    alarms: devices
      .filter(({ view }) => view.isRaisedAlarm)
      .map(({ view }) => ({ newestIsGood: view.isGood })),
    unit: unit.config,
    previous: unit.status,
    nowMs,
  })
}

function statusDevice(unit: UnitContext, device: DeviceContext, nowMs: number): StatusDevice {
  const { view, hearing, listening } = device
  const openSinceMs = view.newestAtMs === null ? null : unit.timeline.openSinceMs(view.newestAtMs)
  return {
    newestAtMs: view.newestAtMs,
    missed: missedCheckIns(hearing, listening, nowMs),
    temperatureCenti: view.temperatureCenti,
    isPending: view.isPending,
    goodInARow: view.goodInARow,
    doorOpenForMs: openSinceMs === null || view.newestAtMs === null ? null : view.newestAtMs - openSinceMs,
  }
}
