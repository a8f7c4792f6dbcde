import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { noteSilences } from './apply-inputs.ts'
import { silence } from './core/silence.ts'
import type { HubHorizons } from './hub-horizons.ts'
import { judgeDoors } from './judge-doors.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

/** On top of a reporting interval, before a device may count as silent. */
const GRACE_MS = 30_000
/** A device that is silent is looked at so often: its unit's status follows the clock. */
const SILENT_LOOK_MS = 5_000

/** Lets the clock judge a unit at which nothing arrives. Returns whether something may have become of it. */
export function lookAtSilence(
  unit: UnitContext,
  nowMs: number,
  looks: WeakMap<DeviceContext, number>,
): boolean {
  let isDue = false
  for (const device of unit.devices.values()) {
    if (device.isUnheard || !isMaybeSilent(device, nowMs) || (looks.get(device) ?? -Infinity) > nowMs)
      continue
    if (isJudgedBeyond(device, nowMs)) continue
    looks.set(device, nowMs + SILENT_LOOK_MS)
    noteSilences(unit, device, silence(device.hearing, device.listening, nowMs))
    isDue = true
  }
  return isDue
}

/** Whether `judgeByClock` has something to judge. */
export function isDueByClock({ doorsFromMs, silent }: UnitContext): boolean {
  return doorsFromMs !== undefined || silent.size > 0
}

/** Judges the doors of a unit, and tells what is to be forgotten of what was known of them and of its silences. */
export function judgeByClock(unit: UnitContext, horizons: HubHorizons, nowMs: number): EpisodeRange[] {
  const silences = silenceRanges(unit)
  if (unit.doorsFromMs === undefined) return silences
  const doors = judgeDoors(unit, (deviceId) => {
    const device = unit.devices.get(deviceId)
    return device ? horizons.horizonMs(device, nowMs) : -Infinity
  })
  return [...doors, ...silences]
}

/** They are told anew. */
function silenceRanges({ silent, config: { unitId } }: UnitContext): EpisodeRange[] {
  return [...silent].map((deviceId) => ({
    unitId,
    deviceId,
    kind: 'silence',
    afterMs: -Infinity,
    toMs: Infinity,
  }))
}

/** It was found silent at a later time, before a restart: only a reading takes that back. */
function isJudgedBeyond({ hearing }: DeviceContext, nowMs: number): boolean {
  return hearing.running.length > 0 && (hearing.judgedToMs ?? -Infinity) > nowMs
}

/** A cheap look: whatever its rules say, nothing is due before a check-in is missed. */
function isMaybeSilent({ config, hearing, listening }: DeviceContext, nowMs: number): boolean {
  if (!config.hasTemperature || hearing.newestAtMs === null) return false
  if (hearing.running.length > 0) return true
  const intervalMs = listening.device.intervalMs.reduce(
    (least, { value }) => Math.min(least, value),
    Infinity,
  )
  return nowMs - hearing.newestAtMs >= intervalMs + GRACE_MS
}
