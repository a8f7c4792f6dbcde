import { missedCheckIns } from './core/silence.ts'
import { OUT_OF_SIGHT, type StatusDevice, type UnitStatus, unitStatus } from './core/unit-status.ts'
import { type LastReading, lastReadingOf } from './last-reading.ts'
import { type DeviceContext, type UnitContext, viewOf } from './unit-context.ts'

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
  const last = lastReadingOf(device)
  const measuredAtMs = last.temperature?.atMs ?? null
  // Behind a hub that is away it has no alert of its own, but nobody sees how it is.
  const listening = { device: config, pauses: unit.downtimes }
  const missedAt = (newestAtMs: number | null, atMs: number): number | null =>
    isUnheard ? null : missedCheckIns({ newestAtMs }, listening, atMs)
  const missed = missedAt(hearing.newestAtMs, nowMs)
  // Behind a hub that sends seldom its temperatures are as old as the readings between them.
  const heardToMs = missed === 0 ? (hearing.newestAtMs ?? nowMs) : nowMs
  const openSinceMs = last.atMs === null ? null : unit.timeline.openSinceMs(last.atMs)
  const inARow = goodInARow(unit, device, last)
  return {
    newestAtMs: isUnheard ? null : hearing.newestAtMs,
    missed,
    temperatureMissed: measuredAtMs === hearing.newestAtMs ? missed : missedAt(measuredAtMs, heardToMs),
    temperatureCenti: last.temperature?.centi ?? null,
    isPending: viewOf(device).isPending,
    goodInARow: isAnyUnheard ? Math.min(inARow, 1) : inARow,
    doorOpenForMs: openSinceMs === null || last.atMs === null ? null : last.atMs - openSinceMs,
  }
}

/** What is not judged is not known to be good: by what was before, the unit is in sight again, and not in order. */
function goodInARow(unit: UnitContext, device: DeviceContext, { temperature }: LastReading): number {
  const { goodInARow } = viewOf(device)
  if (!temperature || temperature.isJudged) return goodInARow
  return OUT_OF_SIGHT.has(unit.status) ? 1 : Math.min(goodInARow, 1)
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
