import type { Pool } from 'pg'
import type { Logger } from 'pino'
import { type LoraSighting, recordLoraSightings } from '../../db/lora-sensors.ts'
import { Periodic } from '../periodic.ts'
import { addFrame, type Frame } from './frames.ts'

const FLUSH_MS = 2_000

/**
 * What LoRaWAN sensors say of themselves beside their readings: frame counters, joins, battery. Gathered, one record for
 * each sensor, and written every two seconds, so that it costs the readings nothing.
 */
export class LoraPresence {
  readonly #options: { pool: Pool; log: Logger }
  readonly #flushes = new Periodic(FLUSH_MS, () => this.#flush())
  #sightings = new Map<number, LoraSighting>()

  constructor(options: { pool: Pool; log: Logger }) {
    this.#options = options
  }

  start(): void {
    this.#flushes.start()
  }

  stop(): Promise<void> {
    return this.#flushes.stop()
  }

  heard(deviceId: number, frame: Frame): void {
    const sighting = this.#sightingOf(deviceId, frame.atMs)
    sighting.uplinks = addFrame(sighting.uplinks, frame)
  }

  joined(deviceId: number, join: { atMs: number; joinEui: string | null; devAddr: string | null }): void {
    const sighting = this.#sightingOf(deviceId, join.atMs)
    if (!sighting.join || sighting.join.atMs < join.atMs) sighting.join = join
  }

  /** `percent` is null where the sensor does not know it. */
  reported(deviceId: number, { atMs, percent }: { atMs: number; percent: number | null }): void {
    const sighting = this.#sightingOf(deviceId, atMs)
    if (percent === null || (sighting.battery && sighting.battery.atMs > atMs)) return
    sighting.battery = { atMs, percent }
  }

  #sightingOf(deviceId: number, atMs: number): LoraSighting {
    const sighting = this.#sightings.get(deviceId) ?? { deviceId, seenAtMs: atMs }
    sighting.seenAtMs = Math.max(sighting.seenAtMs, atMs)
    this.#sightings.set(deviceId, sighting)
    return sighting
  }

  async #flush(): Promise<void> {
    const { pool, log } = this.#options
    const sightings = this.#sightings
    if (sightings.size === 0) return
    this.#sightings = new Map()
    try {
      await recordLoraSightings(pool, [...sightings.values()])
    } catch (error) {
      for (const [deviceId, sighting] of sightings) this.#keep(deviceId, sighting)
      log.warn({ err: error }, 'sightings of LoRaWAN sensors not written yet, trying again')
    }
  }

  /** What was not written stands before what has come meanwhile. */
  #keep(deviceId: number, earlier: LoraSighting): void {
    const later = this.#sightings.get(deviceId)
    this.#sightings.set(deviceId, later ? joinSightings(earlier, later) : earlier)
  }
}

function joinSightings(earlier: LoraSighting, later: LoraSighting): LoraSighting {
  return {
    deviceId: later.deviceId,
    seenAtMs: Math.max(earlier.seenAtMs, later.seenAtMs),
    join: later.join ?? earlier.join,
    battery: later.battery ?? earlier.battery,
    uplinks: joinWindows(earlier.uplinks, later.uplinks),
  }
}

function joinWindows(
  earlier: LoraSighting['uplinks'],
  later: LoraSighting['uplinks'],
): LoraSighting['uplinks'] {
  if (!earlier || !later) return later ?? earlier
  const joined = addFrame(earlier, later.first)
  if (joined === earlier) return earlier
  return { ...joined, last: later.last, gaps: joined.gaps + later.gaps, resets: joined.resets + later.resets }
}
