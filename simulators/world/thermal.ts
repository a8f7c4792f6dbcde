import type { Random } from '../random.ts'
import type { UnitParameters } from './unit-parameters.ts'

/** The physics run in steps of this length, whoever looks how often, so that the result depends on nobody. */
export const STEP_SECONDS = 5

/** Temperatures in °C, humidity in %. */
export interface ThermalState {
  air: number
  product: number
  airProbe: number
  glycolProbe: number
  humidity: number
  compressorRuns: boolean
}

/** What acts on a unit during a step. */
export interface Conditions {
  ambient: number
  doorOpen: boolean
  /** Standing wide open, with nobody in the way of the air. */
  doorLeftOpen: boolean
  /** °C per second that warm goods give to the products. */
  loading: number
  defrosting: boolean
  compressorFailed: boolean
}

/** An open door lets in this much more when nobody stands in it or is about to close it. */
const LEFT_OPEN_TIMES = 3

/** Humidity goes to the unit's own, moved by these, in %; the open door lets in moist air. */
const HUMIDITY_WHILE = { compressor: -6, pause: 5, defrost: 14, door: 18 } as const
const HUMIDITY_SECONDS = 480
const HUMIDITY_DOOR_SECONDS = 90

/** A unit that has run for long: somewhere in its cycle, products at the mean of the air. */
export function drawState(parameters: UnitParameters, random: Random): ThermalState {
  const { setpoint, hysteresis } = parameters
  const air = setpoint + random.uniform(-0.5, 0.5) * hysteresis
  return {
    air,
    product: setpoint,
    airProbe: air,
    glycolProbe: setpoint,
    humidity: parameters.humidity,
    compressorRuns: random.chance(0.5),
  }
}

/**
 * One step of `STEP_SECONDS`, in place. Air and products are one node each that exchange heat; walls and open door leak
 * to the surroundings, compressor and heater act on the air, probes follow it late.
 */
export function step(state: ThermalState, parameters: UnitParameters, conditions: Conditions): void {
  const { ambient, doorOpen, doorLeftOpen, loading, defrosting, compressorFailed } = conditions
  const { air, product } = state
  controlCompressor(state, parameters)
  const cools = state.compressorRuns && !defrosting && !compressorFailed
  const doorTimes = doorLeftOpen ? LEFT_OPEN_TIMES : Number(doorOpen)
  const leak = parameters.leakRate + doorTimes * parameters.doorRate
  const airPerSecond =
    leak * (ambient - air) +
    parameters.airToProductRate * (product - air) -
    (cools ? parameters.cooling : 0) +
    (defrosting ? parameters.heating : 0)
  state.air += STEP_SECONDS * airPerSecond
  state.product += STEP_SECONDS * (parameters.productToAirRate * (air - product) + loading)
  state.airProbe += (STEP_SECONDS / parameters.airProbeSeconds) * (air - state.airProbe)
  state.glycolProbe += (STEP_SECONDS / parameters.glycolProbeSeconds) * (air - state.glycolProbe)
  state.humidity += humidityStep(state.humidity, parameters.humidity, { doorOpen, defrosting, cools })
}

/** The thermostat: two points, and between them as before. */
function controlCompressor(state: ThermalState, { setpoint, hysteresis }: UnitParameters): void {
  if (state.air >= setpoint + hysteresis / 2) state.compressorRuns = true
  else if (state.air <= setpoint - hysteresis / 2) state.compressorRuns = false
}

function humidityStep(
  humidity: number,
  usual: number,
  { doorOpen, defrosting, cools }: { doorOpen: boolean; defrosting: boolean; cools: boolean },
): number {
  const why = doorOpen ? 'door' : defrosting ? 'defrost' : cools ? 'compressor' : 'pause'
  const seconds = doorOpen ? HUMIDITY_DOOR_SECONDS : HUMIDITY_SECONDS
  return (STEP_SECONDS / seconds) * (usual + HUMIDITY_WHILE[why] - humidity)
}
