import { type DoorTimeline, doorEpisodes, doorTimeline } from '../core/doors.ts'
import { mergeEpisodes } from '../core/merge.ts'
import type { Pause } from '../core/pauses.ts'
import { allPauses } from '../core/pauses.ts'
import {
  type Hearing,
  hear,
  type Listening,
  missedCheckIns,
  newHearing,
  type Silences,
  silence,
} from '../core/silence.ts'
import type {
  AlertFacts,
  DeviceConfig,
  DoorInput,
  Episode,
  Input,
  RuleTrack,
  UnitConfig,
} from '../core/types.ts'
import { type StatusDevice, type UnitStatus, unitStatus } from '../core/unit-status.ts'
import { type DeviceView, deviceView } from '../core/view.ts'
import { IncrementalUnit } from './incremental-unit.ts'

/** A unit of a scenario with all that the core knows of it, in memory. */
export class VirtualUnit {
  readonly config: UnitConfig
  status: UnitStatus = 'offline'
  readonly #evaluated: IncrementalUnit
  readonly #hearings: Map<number, Hearing>
  readonly #silences = new Map<string, Episode>()
  #doors: DoorInput[] = []
  #timeline: DoorTimeline = doorTimeline([])

  constructor(config: UnitConfig) {
    this.config = config
    this.#evaluated = new IncrementalUnit(config)
    this.#hearings = new Map(config.devices.map(({ deviceId }) => [deviceId, newHearing()]))
  }

  take(input: Input, outages: readonly Pause[]): void {
    const device = this.config.devices.find(({ deviceId }) => deviceId === input.deviceId)
    if (!device) return
    this.#evaluated.add(input)
    if (input.kind === 'reading') {
      this.#noteSilences(device, hear(this.hearingOf(device), input, this.listening(device, outages)))
    } else {
      this.#doors = [...this.#doors, input]
      this.#timeline = doorTimeline(this.#doors)
    }
  }

  /** What the clock alone changes. */
  judge(nowMs: number, outages: readonly Pause[]): void {
    for (const device of this.config.devices) {
      this.#noteSilences(device, silence(this.hearingOf(device), this.listening(device, outages), nowMs))
    }
    this.#judgeStatus(nowMs, outages)
  }

  /** All alerts of a rule as they are now. */
  factsOf(track: RuleTrack, doorsJudgedToMs: number): AlertFacts[] {
    return mergeEpisodes(this.config, track, this.episodesOf(track, doorsJudgedToMs))
  }

  episodesOf(track: RuleTrack, doorsJudgedToMs: number): Episode[] {
    const isOf = ({ ruleId, conditionType }: Episode) =>
      ruleId === track.ruleId && conditionType === track.conditionType
    return [
      ...[...this.#evaluated.episodes(), ...this.#silences.values()].filter(isOf),
      ...doorEpisodes(this.#timeline, track, { judgedToMs: () => doorsJudgedToMs }),
    ]
  }

  viewOf({ deviceId }: DeviceConfig): DeviceView {
    return deviceView(this.#evaluated.stateOf(deviceId), this.#evaluated.judging(deviceId))
  }

  hearingOf({ deviceId }: DeviceConfig): Hearing {
    const hearing = this.#hearings.get(deviceId)
    if (!hearing) throw new Error(`the unit has no device ${deviceId}`)
    return hearing
  }

  listening(device: DeviceConfig, outages: readonly Pause[]): Listening {
    const tracks = this.config.tracks.filter(({ conditionType }) => conditionType === 'no_data')
    return { device, tracks, pauses: allPauses([], outages) }
  }

  #noteSilences({ deviceId }: DeviceConfig, { episodes, isNews }: Silences): void {
    if (!isNews) return
    // Those that run take the place of those that ran.
    for (const [key, before] of this.#silences) {
      if (before.deviceId === deviceId && before.endedAtMs === null) this.#silences.delete(key)
    }
    for (const episode of episodes) {
      this.#silences.set(`${deviceId} ${episode.ruleId} ${episode.startedAtMs}`, episode)
    }
  }

  #judgeStatus(nowMs: number, outages: readonly Pause[]): void {
    const thermometers = this.config.devices.filter(({ hasTemperature }) => hasTemperature)
    const alarms = this.#evaluated
      .episodes()
      .filter(({ endedAtMs, deviceId }) => endedAtMs === null && deviceId !== null)
      .filter((episode) => this.#isAlarm(episode))
    this.status = unitStatus({
      devices: thermometers.map((device) => this.#statusOf(device, nowMs, outages)),
      alarms,
      unit: this.config,
      previous: this.status,
      nowMs,
    })
  }

  #isAlarm({ ruleId, conditionType }: Episode): boolean {
    return this.config.tracks.some(
      (track) =>
        track.ruleId === ruleId &&
        track.conditionType === conditionType &&
        track.alertType === 'alarm_active',
    )
  }

  #statusOf(device: DeviceConfig, nowMs: number, outages: readonly Pause[]): StatusDevice {
    const { newestAtMs, temperatureCenti, isPending, goodInARow } = this.viewOf(device)
    const openSinceMs = newestAtMs === null ? null : this.#timeline.openSinceMs(newestAtMs)
    const hearing = this.hearingOf(device)
    const missedSince = (atMs: number | null) =>
      missedCheckIns({ newestAtMs: atMs }, this.listening(device, outages), nowMs)
    return {
      newestAtMs,
      missed: missedSince(hearing.newestAtMs),
      temperatureMissed: missedSince(hearing.temperatureAtMs),
      temperatureCenti,
      isPending,
      goodInARow,
      doorOpenForMs: openSinceMs === null || newestAtMs === null ? null : newestAtMs - openSinceMs,
    }
  }
}
