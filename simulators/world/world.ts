import type { FaultRates, FleetPlan, Measurement, PlannedUnit, PublisherName } from '../types.ts'
import type { ScheduleOptions } from './schedules.ts'
import { Sensor } from './sensor.ts'
import { physicsSecond, type TimeFrame } from './time-frame.ts'
import { Unit } from './unit.ts'

/** An hour of physics in a second of the clock: a door that is opened briefly is still open for milliseconds. */
const SPEED_MAX = 3_600

export interface WorldSummary {
  units: number
  compressorsFailed: number
  doorsOpen: number
  sensorsDead: number
  /** Units whose air is above their upper limit. */
  warm: number
}

interface Place {
  unit: Unit
  sensors: Sensor[]
  /** Of its sensors the earliest. */
  nextAtMs: number
}

/**
 * A fleet of refrigeration units and their sensors. Everything follows from the seed and the times passed in; no two
 * units or sensors share a stream of random numbers, so each behaves the same whatever the others do.
 */
export class World {
  readonly #places: Place[]
  readonly #frame: TimeFrame
  #nowMs = Number.NEGATIVE_INFINITY

  /** `speed`: seconds of physics in a second of the clock. Throws a `RangeError` for one that is not in (0, 3600]. */
  constructor(options: {
    fleet: FleetPlan
    seed: number
    rates: FaultRates
    startMs: number
    speed: number
  }) {
    const { fleet, seed, rates, startMs, speed } = options
    if (!(speed > 0 && speed <= SPEED_MAX)) {
      throw new RangeError(`The speed is ${speed}; give a number above 0 and up to ${SPEED_MAX}.`)
    }
    this.#frame = { startMs, speed }
    this.#places = fleet.units.map((unit) => furnish(unit, { seed, rates, frame: this.#frame }))
  }

  /**
   * All measurements due up to and including `nowMs` that earlier calls have not returned, by publisher, each
   * publisher's in time order. The same whatever the spacing of the calls.
   */
  advance(nowMs: number): Map<PublisherName, Measurement[]> {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    const measured = new Map<PublisherName, Measurement[]>()
    for (const place of this.#places) if (place.nextAtMs <= nowMs) measureUntil(place, nowMs, measured)
    for (const measurements of measured.values()) measurements.sort(byTime)
    return measured
  }

  /** How things stand at the time of the last `advance`. */
  summary(): WorldSummary {
    const summary = {
      units: this.#places.length,
      compressorsFailed: 0,
      doorsOpen: 0,
      sensorsDead: 0,
      warm: 0,
    }
    if (this.#nowMs < this.#frame.startMs) return summary
    const second = physicsSecond(this.#frame, this.#nowMs)
    for (const { unit, sensors } of this.#places) {
      unit.advanceTo(second)
      summary.compressorsFailed += Number(unit.conditions.compressorFailed)
      summary.doorsOpen += Number(unit.conditions.doorOpen)
      summary.warm += Number(unit.state.airProbe > unit.parameters.tempMax)
      summary.sensorsDead += sensors.filter((sensor) => sensor.isDeadAt(this.#nowMs)).length
    }
    return summary
  }
}

function furnish(planned: PlannedUnit, options: Omit<ScheduleOptions, 'of'>): Place {
  const unit = new Unit(planned, options)
  const sensors = planned.devices.map(
    (device) => new Sensor({ ...options, device, unit, unitId: planned.id }),
  )
  return { unit, sensors, nextAtMs: earliest(sensors)?.nextAtMs ?? Number.POSITIVE_INFINITY }
}

/** Sensor by sensor in the order of time: the unit's physics only go forward. */
function measureUntil(place: Place, nowMs: number, measured: Map<PublisherName, Measurement[]>): void {
  let sensor = earliest(place.sensors)
  while (sensor !== undefined && sensor.nextAtMs <= nowMs) {
    const measurement = sensor.measure()
    if (measurement) collect(measured, sensor.device.hub ?? `device:${sensor.device.devEui}`, measurement)
    sensor = earliest(place.sensors)
  }
  place.nextAtMs = sensor?.nextAtMs ?? Number.POSITIVE_INFINITY
}

function earliest(sensors: readonly Sensor[]): Sensor | undefined {
  let first = sensors[0]
  for (const sensor of sensors) if (first && sensor.nextAtMs < first.nextAtMs) first = sensor
  return first
}

function collect(
  measured: Map<PublisherName, Measurement[]>,
  publisher: PublisherName,
  one: Measurement,
): void {
  const list = measured.get(publisher)
  if (list) list.push(one)
  else measured.set(publisher, [one])
}

/** At equal times by device, so that the order does not depend on what came in one call. */
function byTime(one: Measurement, other: Measurement): number {
  return one.measuredAtMs - other.measuredAtMs || (one.devEui < other.devEui ? -1 : 1)
}
