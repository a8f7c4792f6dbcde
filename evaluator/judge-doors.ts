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
  const firstMs = timeline.openings[0]?.openedAtMs ?? Infinity
  // What was before the first door event that is remembered stays as it was found.
  const fromMs = Math.max(
    firstMs,
    touched.reduce((first, { openedAtMs }) => Math.min(first, openedAtMs), eventMs),
  )
  const episodes = tracks
    .flatMap((track) => doorEpisodes(timeline, track, { judgedToMs }))
    .filter(({ startedAtMs }) => startedAtMs >= fromMs)
  const found = JSON.stringify(episodes)
  // Only the clock has gone on.
  if (eventMs === Infinity && found === unit.doorsFound) return []
  unit.doorsFound = found
  noteEpisodes(unit, episodes)
  const devices = new Set(timeline.openings.map(({ deviceId }) => deviceId))
  return [...devices].map((deviceId) => ({
    unitId: config.unitId,
    deviceId,
    kind: 'doors',
    afterMs: fromMs - 1,
    toMs: Infinity,
  }))
}

/** Whether a door is open, so that the clock may have something to judge. */
export function hasOpenDoor({ timeline }: UnitContext): boolean {
  return timeline.openings.some(({ closedAtMs }) => closedAtMs === null)
}
