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
 * A fold that takes its readings one by one, so that nobody has to hold them all. They must be ordered by `isInOrder`; it begins
 * from idle.
 */
export class Folding {
  readonly #judging: Judging
  readonly #state = newDeviceState()
  readonly #episodes: Episode[] = []
  readonly #isRenewal: ReturnType<typeof renewalFinder>
  /** The time of the newest reading, if it is a renewal by now: another one of that time may follow. */
  #newestMs: number | undefined
  #firstMs: number | undefined
  #beforeMs: number | undefined

  constructor(judging: Judging) {
    this.#judging = judging
    this.#isRenewal = renewalFinder(judging)
  }

  add(reading: ReadingInput): void {
    const { atMs } = reading
    advance(this.#state, reading, this.#judging, this.#episodes)
    // What triggers at a renewal's own time must not be taken for older than it.
    if (this.#newestMs !== undefined && this.#newestMs < atMs) {
      this.#beforeMs = this.#newestMs
      this.#firstMs ??= this.#newestMs
    }
    this.#newestMs = this.#isRenewal(this.#state, reading) ? atMs : undefined
  }

  /** The first renewal (see `Fold`) with a later reading behind it; so far there may be none. */
  get firstRenewalMs(): number | undefined {
    return this.#firstMs
  }

  /** The last renewal, if no other reading has the time of the newest one. */
  get lastRenewalMs(): number | undefined {
    return this.#newestMs ?? this.#beforeMs
  }

  /** Lets the versions of rules pass that began or ended after the readings. Nothing can be added any more. */
  end(): Omit<Fold, 'renewals'> {
    const state = this.#state
    const { unit, device } = this.#judging
    const { deviceId } = device
    for (const [index, trackState] of state.tracks.entries()) {
      const track = unit.tracks[index]
      if (!track) continue
      const lastMs = lastChangeMs(track)
      leaveVersions(trackState, { deviceId, track, atMs: lastMs }, this.#episodes)
      state.versionsToMs = Math.max(state.versionsToMs, lastMs)
      const { machine } = trackState
      if (machine?.phase === 'raised') this.#episodes.push(episodeOf(machine, { deviceId, track }, null))
    }
    limitWindows(state, unit)
    this.#episodes.sort((a, b) => a.triggeredAtMs - b.triggeredAtMs)
    return { state, episodes: this.#episodes }
  }
}

/** Judges readings of a device in a unit, ordered by `isInOrder`, from idle. */
export function fold(readings: readonly ReadingInput[], judging: Judging): Fold {
  const folding = new Folding(judging)
  const renewals: number[] = []
  for (const reading of readings) {
    folding.add(reading)
    const renewalMs = folding.lastRenewalMs
    if (renewals.at(-1) === reading.atMs) renewals.pop()
    if (renewalMs === reading.atMs) renewals.push(renewalMs)
  }
  return { ...folding.end(), renewals }
}
