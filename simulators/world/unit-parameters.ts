import type { Random } from '../random.ts'
import type { PlannedUnit } from '../types.ts'
import { profileOf, type Range, type UnitProfile } from './unit-profiles.ts'

/** A unit as it was drawn. Temperatures in °C, exchanges of heat as rates per second (1 / time constant). */
export interface UnitParameters {
  tempMin: number
  tempMax: number
  setpoint: number
  hysteresis: number
  ambientMean: number
  /** Half of the difference of day and night. */
  ambientSwing: number
  /** Air towards the surroundings: through the walls, and through the open door. */
  leakRate: number
  doorRate: number
  /** Air towards the products, and products towards the air. */
  airToProductRate: number
  productToAirRate: number
  /** What the compressor takes from the air, and the defrost heater gives it, °C per second. */
  cooling: number
  heating: number
  defrostsPerDay: number
  defrostSeconds: number
  doorsPerHour: number
  doorSeconds: number
  loadsPerDay: number
  /** What a load warms the products. */
  loadRise: number
  /** Time constants of probes in air, and of probes in a bottle of glycol. */
  airProbeSeconds: number
  glycolProbeSeconds: number
  humidity: number
}

/** A third of the range between the limits at most: the rest is for doors, probes and sensors that differ. */
const HYSTERESIS_SHARE_MAX = 0.34
/** How far a setpoint is from the middle of the range, as a share of it. */
const SETPOINT_SHARE = 0.04
/** The surroundings are warmer than the setpoint by this at least; °C. */
const WARMTH_MIN = 8
/** Of the air's warming in a compressor's pause, the part that is slowed down by the products. */
const COUPLING_SHARE = 0.6
/** What must stay free below the limit after a defrost, in multiples of the hysteresis. */
const DEFROST_ROOM = 0.8

/** Draws a unit of its type within its limits, so that no two behave alike. */
export function drawUnit(unit: PlannedUnit, random: Random): UnitParameters {
  const profile = profileOf(unit.unitType)
  const limits = limitsOf(unit, profile)
  const draw = ([min, max]: Range) => random.uniform(min, max)
  const span = limits.tempMax - limits.tempMin
  const setpoint =
    (limits.tempMin + limits.tempMax) / 2 + span * random.uniform(-SETPOINT_SHARE, SETPOINT_SHARE)
  const hysteresis = Math.min(draw(profile.hysteresis), HYSTERESIS_SHARE_MAX * span)
  const climate = {
    ambientMean: Math.max(random.uniform(18, 25), setpoint + WARMTH_MIN),
    ambientSwing: random.uniform(1, 3),
  }
  const warmth = climate.ambientMean - setpoint
  const thermal = drawThermal({ profile, hysteresis, warmth, draw })
  const defrost = drawDefrost({ profile, hysteresis, room: limits.tempMax - setpoint, thermal, draw })
  return {
    ...limits,
    setpoint,
    hysteresis,
    ...climate,
    ...thermal,
    ...defrost,
    doorsPerHour: draw(profile.doorsPerHour),
    loadsPerDay: draw(profile.loadsPerDay),
    loadRise: draw(profile.loadRise),
    airProbeSeconds: random.uniform(90, 200),
    glycolProbeSeconds: random.uniform(480, 900),
    humidity: draw(profile.humidity),
  }
}

/** With one limit only, the range is as wide as is usual for the type. */
function limitsOf(unit: PlannedUnit, profile: UnitProfile): { tempMin: number; tempMax: number } {
  const span = profile.tempMax - profile.tempMin
  const { tempMin, tempMax } = unit
  if (tempMin === null && tempMax === null) return { tempMin: profile.tempMin, tempMax: profile.tempMax }
  return { tempMin: tempMin ?? (tempMax ?? 0) - span, tempMax: tempMax ?? (tempMin ?? 0) + span }
}

type Thermal = Pick<
  UnitParameters,
  'leakRate' | 'doorRate' | 'airToProductRate' | 'productToAirRate' | 'cooling' | 'doorSeconds'
>

/** Heat flows that make the compressor's cycle as long as drawn: the air crosses the hysteresis once up and once down. */
function drawThermal(options: {
  profile: UnitProfile
  hysteresis: number
  warmth: number
  draw: (range: Range) => number
}): Thermal {
  const { profile, hysteresis, warmth, draw } = options
  const cycleSeconds = draw(profile.cycleMinutes) * 60
  const duty = draw(profile.duty)
  const warming = hysteresis / (cycleSeconds * (1 - duty))
  const airToProductRate = (COUPLING_SHARE * profile.coupling * warming) / hysteresis
  const doorSeconds = draw(profile.doorSeconds)
  return {
    leakRate: warming / warmth,
    doorRate: (draw(profile.doorRise) * hysteresis) / (doorSeconds * warmth),
    airToProductRate,
    productToAirRate: airToProductRate / draw(profile.massRatio),
    cooling: warming + hysteresis / (cycleSeconds * duty),
    doorSeconds,
  }
}

function drawDefrost(options: {
  profile: UnitProfile
  hysteresis: number
  /** From the setpoint to the upper limit. */
  room: number
  thermal: Thermal
  draw: (range: Range) => number
}): Pick<UnitParameters, 'defrostsPerDay' | 'defrostSeconds' | 'heating'> {
  const { profile, hysteresis, room, thermal, draw } = options
  const defrostsPerDay = Math.round(draw(profile.defrostsPerDay))
  const defrostSeconds = draw(profile.defrostMinutes) * 60
  if (defrostsPerDay === 0) return { defrostsPerDay, defrostSeconds, heating: 0 }
  const rise = Math.min(draw(profile.defrostRise), room - DEFROST_ROOM * hysteresis)
  const rate = thermal.leakRate + thermal.airToProductRate
  // The air goes exponentially to where heater, leak and products are in balance.
  const balance = rise / (1 - Math.exp(-rate * defrostSeconds))
  // Without heater it warms as in a pause of the compressor.
  const pause = (thermal.airToProductRate * hysteresis) / (COUPLING_SHARE * profile.coupling)
  return { defrostsPerDay, defrostSeconds, heating: Math.max(0, balance * rate - pause) }
}
