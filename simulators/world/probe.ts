import type { Random } from '../random.ts'
import type { ThermalState } from './thermal.ts'
import type { UnitParameters } from './unit-parameters.ts'

/** What a device can sense. */
export interface Abilities {
  temperature: boolean
  humidity: boolean
  door: boolean
}

/** Reads a unit's state as °C with 2 decimals at most, and % relative humidity. */
export type Probe = (
  state: Readonly<ThermalState>,
  random: Random,
) => { temperature?: number; humidity?: number }

/** Where it hangs in the unit makes a difference of this much, °C, and of this share of the range between the limits. */
const OFFSET = { standardDeviation: 0.15, max: 0.4, shareMax: 0.06 } as const
const NOISE = { min: 0.01, max: 0.05 } as const
/** The share of probes in a bottle of glycol, which follows the goods rather than the air. */
const GLYCOL_SHARE = 0.35
const COARSE_SHARE = 0.4
const HUMIDITY_NOISE = 0.3
const HUMIDITY_STEP = 0.5

/** Reads a device_type, whose words say what it senses; one of unknown words only senses temperature. */
export function parseAbilities(deviceType: string): Abilities {
  const words = deviceType.split('_')
  const door = words.includes('door')
  const humidity = words.includes('humidity')
  return { door, humidity, temperature: words.includes('temperature') || !(door || humidity) }
}

/** Draws how one device measures: where it hangs, its noise and its resolution. */
export function drawProbe(options: { abilities: Abilities; unit: UnitParameters; random: Random }): Probe {
  const { abilities, unit, random } = options
  const offsetMax = Math.min(OFFSET.max, OFFSET.shareMax * (unit.tempMax - unit.tempMin))
  const offset = clamp(random.normal(0, OFFSET.standardDeviation), -offsetMax, offsetMax)
  const place = random.chance(GLYCOL_SHARE) ? 'glycolProbe' : 'airProbe'
  const noise = random.uniform(NOISE.min, NOISE.max)
  const stepsPerDegree = random.chance(COARSE_SHARE) ? 10 : 100
  return (state, draws) => ({
    ...(abilities.temperature && {
      temperature:
        Math.round((state[place] + offset + draws.normal(0, noise)) * stepsPerDegree) / stepsPerDegree,
    }),
    ...(abilities.humidity && { humidity: humidityOf(state.humidity, draws) }),
  })
}

function humidityOf(humidity: number, random: Random): number {
  const noisy = clamp(humidity + random.normal(0, HUMIDITY_NOISE), 0, 100)
  return Math.round(noisy / HUMIDITY_STEP) * HUMIDITY_STEP
}

const clamp = (value: number, min: number, max: number) => Math.min(Math.max(value, min), max)
