import { advance, type DeviceState, type Judging, limitWindows, newDeviceState } from './device.ts'
import { episodeOf } from './episode.ts'
import { renewalFinder } from './renewals.ts'
import type { Episode, ReadingInput } from './types.ts'
import { lastChangeMs, leaveVersions } from './versions.ts'

export interface Fold {
  state: DeviceState
  /** The raised ones, by the time they triggered. */
  episodes: Episode[]
  /**
   * Evaluation times of readings after which nothing from before the first reading given can matter any more: what is
   * before is as good as known, the state is the true one, and every episode that triggers later is too. At each of them
   * nothing is raised or pending. Empty = the readings do not reach back far enough to tell; where there are no older ones,
   * the fold is true from its beginning.
   */
  renewals: number[]
}

/**
 * Judges readings of a device in a unit, ordered by `isInOrder`, from idle; then lets the versions of rules pass that began
 * or ended after them.
 */
export function fold(readings: readonly ReadingInput[], judging: Judging): Fold {
  const state = newDeviceState()
  const episodes: Episode[] = []
  const renewals: number[] = []
  const take = (episode: Episode) => void episodes.push(episode)
  const findRenewal = renewalFinder(judging)
  for (const reading of readings) {
    advance(state, reading, judging, take)
    // What triggers at a renewal's own time must not be taken for older than it.
    if (renewals.at(-1) === reading.atMs) renewals.pop()
    if (findRenewal(state, reading)) renewals.push(reading.atMs)
  }
  const deviceId = judging.device.deviceId
  for (const [index, trackState] of state.tracks.entries()) {
    const track = judging.unit.tracks[index]
    if (!track) continue
    const lastMs = lastChangeMs(track)
    leaveVersions(trackState, { deviceId, track, atMs: lastMs }, take)
    state.versionsToMs = Math.max(state.versionsToMs, lastMs)
    const { machine } = trackState
    if (machine?.phase === 'raised') episodes.push(episodeOf(machine, { deviceId, track }, null))
  }
  limitWindows(state, judging.unit)
  episodes.sort((a, b) => a.triggeredAtMs - b.triggeredAtMs)
  return { state, episodes, renewals }
}
