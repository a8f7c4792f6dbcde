import { type DeviceState, isInOrder, type Judging, newDeviceState, step } from '../core/device.ts'
import { doorEpisodes, doorTimeline } from '../core/doors.ts'
import { fold } from '../core/fold.ts'
import { mergeEpisodes } from '../core/merge.ts'
import type {
  AlertFacts,
  DeviceConfig,
  DoorInput,
  Episode,
  Input,
  ReadingInput,
  UnitConfig,
} from '../core/types.ts'

interface KnownDevice {
  device: DeviceConfig
  readings: Map<number, ReadingInput>
  state: DeviceState
  /** The raised ones, by rule and the time they triggered. */
  episodes: Map<string, Episode>
}

/**
 * One unit evaluated by the core input by input, in order of arrival, as the service does it: a step where the reading is
 * the next one, a fold of all rows where it is not. Counts how often it did which.
 */
export class IncrementalUnit {
  steps = 0
  folds = 0
  readonly #full: UnitConfig
  readonly #devices: Map<number, KnownDevice>
  readonly #doors = new Map<string, DoorInput>()
  /** What of the configuration has happened by now. */
  #unit: UnitConfig

  constructor(full: UnitConfig) {
    this.#full = full
    this.#unit = configurationAt(full, Number.NEGATIVE_INFINITY)
    this.#devices = new Map(
      full.devices.map((device) => [
        device.deviceId,
        { device, readings: new Map(), state: newDeviceState(), episodes: new Map() },
      ]),
    )
  }

  /** What is stored already changes nothing. */
  add(input: Input): void {
    this.#changeRules(input.receivedAtMs)
    const known = this.#known(input.deviceId)
    if (input.kind === 'door') this.#addDoor(input)
    else if (!known.readings.has(input.recordedAtMs)) this.#addReading(known, input)
  }

  /** The configuration as far as it is known. */
  get unit(): UnitConfig {
    return this.#unit
  }

  get stored(): Input[] {
    const readings = [...this.#devices.values()].flatMap((known) => [...known.readings.values()])
    return [...readings, ...this.#doors.values()]
  }

  stateOf(deviceId: number): DeviceState {
    return this.#known(deviceId).state
  }

  /** Those of readings that have been raised. */
  episodes(): Episode[] {
    return [...this.#devices.values()].flatMap(({ episodes }) => [...episodes.values()])
  }

  facts(judgedToMs: number): AlertFacts[] {
    const timeline = doorTimeline([...this.#doors.values()])
    return this.#unit.tracks.flatMap((track) => {
      const ofReadings = [...this.#devices.values()]
        .flatMap(({ episodes }) => [...episodes.values()])
        .filter(
          ({ ruleId, conditionType }) => ruleId === track.ruleId && conditionType === track.conditionType,
        )
      const ofDoors = doorEpisodes(timeline, track, { judgedToMs: () => judgedToMs })
      return mergeEpisodes(this.#unit, track, [...ofReadings, ...ofDoors])
    })
  }

  /** By what the readings of a device are judged now. */
  judging(deviceId: number): Judging {
    const { isOpenAt } = doorTimeline([...this.#doors.values()])
    return { unit: this.#unit, device: this.#known(deviceId).device, isDoorOpenAt: isOpenAt }
  }

  readingsOf(deviceId: number): ReadingInput[] {
    return [...this.#known(deviceId).readings.values()].toSorted(
      (a, b) => a.atMs - b.atMs || a.recordedAtMs - b.recordedAtMs,
    )
  }

  #changeRules(nowMs: number): void {
    const unit = configurationAt(this.#full, nowMs)
    if (versionsOf(unit) === versionsOf(this.#unit)) return
    this.#unit = unit
    for (const known of this.#devices.values()) this.#refold(known)
  }

  #addReading(known: KnownDevice, reading: ReadingInput): void {
    known.readings.set(reading.recordedAtMs, reading)
    if (!isInOrder(known.state, reading)) {
      this.#refold(known)
      return
    }
    this.steps += 1
    // As it comes back from the database.
    known.state = JSON.parse(JSON.stringify(known.state))
    const found = step(known.state, reading, this.judging(reading.deviceId))
    for (const episode of found) known.episodes.set(keyOf(episode), episode)
  }

  /** An event that is not newer than a reading may have been what that reading was to be judged by. */
  #addDoor(door: DoorInput): void {
    this.#doors.set(`${door.deviceId} ${door.recordedAtMs} ${door.isOpen}`, door)
    for (const known of this.#devices.values()) {
      if (known.state.atMs >= door.atMs) this.#refold(known)
    }
  }

  #refold(known: KnownDevice): void {
    this.folds += 1
    const { deviceId } = known.device
    const { state, episodes } = fold(this.readingsOf(deviceId), this.judging(deviceId))
    known.state = state
    known.episodes = new Map(episodes.map((episode) => [keyOf(episode), episode]))
  }

  #known(deviceId: number): KnownDevice {
    const known = this.#devices.get(deviceId)
    if (!known) throw new Error(`the unit has no device ${deviceId}`)
    return known
  }
}

/** Versions of rules that begin or end later are not known yet. */
function configurationAt(unit: UnitConfig, nowMs: number): UnitConfig {
  const tracks = unit.tracks.map((track) => ({
    ...track,
    versions: track.versions
      .filter(({ fromMs }) => fromMs <= nowMs)
      .map((version) => (version.toMs <= nowMs ? version : { ...version, toMs: Number.POSITIVE_INFINITY })),
  }))
  return { ...unit, tracks }
}

function versionsOf({ tracks }: UnitConfig): string {
  return tracks.map(({ versions }) => versions.map(({ toMs }) => toMs).join(' ')).join('; ')
}

/** Two can have the same start: a rule that was off for a while sees the past again. */
function keyOf({ ruleId, conditionType, triggeredAtMs }: Episode): string {
  return `${ruleId} ${conditionType} ${triggeredAtMs}`
}
