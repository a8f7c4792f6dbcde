import type { EpisodeRange } from '../db/evaluation/episodes.ts'
import { noteEpisodes } from './apply-inputs.ts'
import { doorEpisodes } from './core/doors.ts'
import type { UnitContext } from './unit-context.ts'

/**
 * Judges the doors of a unit from the opening on that the earliest new event touches. What is found takes the place of what was
 * known of that time: returns the ranges to forget.
 */
export function judgeDoors(unit: UnitContext, judgedToMs: (deviceId: number) => number): EpisodeRange[] {
  const { timeline, config } = unit
  const tracks = config.tracks.filter(({ conditionType }) => conditionType === 'door_open')
  const eventMs = unit.doorsFromMs ?? Infinity
  unit.doorsFromMs = undefined
  if (tracks.length === 0) return []
  const touched = timeline.openings.filter(({ closedAtMs }) => (closedAtMs ?? Infinity) >= eventMs)
  const touchedMs = touched.reduce((first, { openedAtMs }) => Math.min(first, openedAtMs), eventMs)
  const fromMs = new Map<number, number>()
  for (const { deviceId, openedAtMs } of timeline.openings) {
    // What was before its first door event that is held stays as it was found.
    if (!fromMs.has(deviceId)) fromMs.set(deviceId, Math.max(openedAtMs, touchedMs))
  }
  const episodes = tracks
    .flatMap((track) => doorEpisodes(timeline, track, { judgedToMs }))
    .filter(({ deviceId, startedAtMs }) => startedAtMs >= (fromMs.get(deviceId) ?? Infinity))
  const found = JSON.stringify(episodes)
  // Only the clock has gone on.
  if (eventMs === Infinity && found === unit.doorsFound) return []
  unit.doorsFound = found
  noteEpisodes(unit, episodes)
  return [...fromMs].map(([deviceId, deviceFromMs]) => ({
    unitId: config.unitId,
    deviceId,
    kind: 'doors',
    afterMs: deviceFromMs - 1,
    toMs: Infinity,
  }))
}

/** Whether a door is open, so that the clock may have something to judge. */
export function hasOpenDoor({ timeline }: UnitContext): boolean {
  return timeline.openings.some(({ closedAtMs }) => closedAtMs === null)
}
