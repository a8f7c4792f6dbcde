import type { Random } from '../random.ts'

const RSSI_DBM = { min: -127, max: -30 } as const
const SNR_DB = { min: -20, max: 14 } as const
/** As LoRa receivers report it. */
const SNR_STEP_DB = 0.25
const SNR_NOISE_DB = 1
/** How much of the last deviation is left at the next message: a slow random walk around the usual level. */
const PERSISTENCE = 0.96
const DEVIATION_DB = 4

/** How well a sensor is heard: level (dBm, whole) and signal-to-noise ratio (dB, quarters), which drift slowly. */
export class Radio {
  readonly #random: Random
  readonly #usualDbm: number
  #deviationDb: number

  constructor(random: Random) {
    this.#random = random
    this.#usualDbm = random.uniform(-112, -58)
    this.#deviationDb = random.normal(0, DEVIATION_DB)
  }

  next(): { rssi: number; snr: number } {
    const step = DEVIATION_DB * Math.sqrt(1 - PERSISTENCE ** 2)
    this.#deviationDb = PERSISTENCE * this.#deviationDb + this.#random.normal(0, step)
    const level = this.#usualDbm + this.#deviationDb
    // Near the hub the ratio is limited by the receiver, far away it falls with the level.
    const ratio = Math.min(10, (level + 125) / 2.5 - 4) + this.#random.normal(0, SNR_NOISE_DB)
    return {
      rssi: Math.round(clamp(level, RSSI_DBM)),
      snr: Math.round(clamp(ratio, SNR_DB) / SNR_STEP_DB) * SNR_STEP_DB,
    }
  }
}

function clamp(value: number, { min, max }: { min: number; max: number }): number {
  return Math.min(Math.max(value, min), max)
}
