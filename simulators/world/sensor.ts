import { Random } from '../random.ts'
import type { MeasuredReading, Measurement, PlannedDevice } from '../types.ts'
import { Battery } from './battery.ts'
import { DoorContact } from './door-contact.ts'
import { never } from './intervals.ts'
import { drawProbe, type Probe, parseAbilities } from './probe.ts'
import { Radio } from './radio.ts'
import { doorSchedule, type ScheduleOptions } from './schedules.ts'
import { SensorDeath } from './sensor-death.ts'
import { clockMs, physicsSecond, type TimeFrame } from './time-frame.ts'
import type { Unit } from './unit.ts'

/** Wake-ups come late by up to this share of the interval, and by this at most. */
const JITTER_SHARE = 0.02
const JITTER_MS_MAX = 500
/** What contact, debouncing and radio take. */
const DOOR_DELAY_MS_MAX = 250
/** Readings with the battery's level, one of how many. */
const BATTERY_EVERY = { min: 6, max: 24 } as const

export interface SensorOptions extends Omit<ScheduleOptions, 'of'> {
  device: PlannedDevice
  unit: Unit
  unitId: string
}

/** A sensor at its unit: what it measures, and when; in the order of time, each time another whole millisecond. */
export class Sensor {
  readonly device: PlannedDevice
  readonly #unit: Unit
  readonly #frame: TimeFrame
  readonly #random: Random
  readonly #probe: Probe
  readonly #radio: Radio
  readonly #battery: Battery
  readonly #death: SensorDeath
  readonly #contact: DoorContact
  readonly #intervalMs: number
  readonly #phaseMs: number
  readonly #doorDelayMs: number
  readonly #batteryEvery: number
  #reports = 0
  #reportDueMs: number
  #lastMs = Number.NEGATIVE_INFINITY
  #lastClimate: { temperature?: number; humidity?: number } | undefined

  constructor(options: SensorOptions) {
    const { device, unit, unitId, seed, frame } = options
    const abilities = parseAbilities(device.deviceType)
    const random = new Random(seed, 'sensor', device.devEui)
    this.device = device
    this.#unit = unit
    this.#frame = frame
    this.#random = random
    this.#probe = drawProbe({ abilities, unit: unit.parameters, random })
    this.#radio = new Radio(random)
    this.#battery = new Battery(random)
    const measures = abilities.temperature || abilities.humidity
    this.#death = new SensorDeath({ ...options, of: device.devEui, measures })
    this.#contact = new DoorContact(
      abilities.door ? doorSchedule(unit.parameters, { ...options, of: unitId }) : never,
    )
    this.#intervalMs = device.intervalSeconds * 1_000
    this.#phaseMs = random.uniform(0, this.#intervalMs)
    this.#doorDelayMs = random.uniform(0, DOOR_DELAY_MS_MAX)
    // A sensor without anything else to say reports its battery each time.
    this.#batteryEvery = measures ? random.integer(BATTERY_EVERY.min, BATTERY_EVERY.max) : 1
    this.#reportDueMs = this.#drawReportDue()
  }

  /** When it measures next, epoch ms. */
  get nextAtMs(): number {
    return Math.max(Math.min(this.#reportDueMs, this.#doorDueMs), this.#lastMs + 1)
  }

  /** What it measures at `nextAtMs`; undefined if it is silent. */
  measure(): Measurement | undefined {
    const atMs = this.nextAtMs
    this.#lastMs = atMs
    return this.#doorDueMs <= this.#reportDueMs ? this.#measureDoor(atMs) : this.#measureReading(atMs)
  }

  isDeadAt(nowMs: number): boolean {
    return this.#death.at(nowMs) !== undefined
  }

  get #doorDueMs(): number {
    return Math.round(clockMs(this.#frame, this.#contact.changesAt) + this.#doorDelayMs)
  }

  #measureDoor(measuredAtMs: number): Measurement | undefined {
    const state = this.#contact.change()
    if (this.#death.at(measuredAtMs)?.does === 'silent') return undefined
    return { kind: 'door', devEui: this.device.devEui, measuredAtMs, state }
  }

  #measureReading(measuredAtMs: number): Measurement | undefined {
    const second = physicsSecond(this.#frame, measuredAtMs)
    this.#unit.advanceTo(second)
    // Drawn also for a dead sensor, so that a death changes nothing after it.
    const climate = this.#probe(this.#unit.state, this.#random)
    const radio = this.#radio.next()
    const reading: MeasuredReading = { kind: 'reading', devEui: this.device.devEui, measuredAtMs, ...radio }
    if (this.#reports % this.#batteryEvery === 0) reading.battery = this.#battery.percentAt(second)
    this.#reports++
    this.#reportDueMs = this.#drawReportDue()
    const death = this.#death.at(measuredAtMs)
    if (death?.does === 'silent') return undefined
    if (death?.does === 'fault') return { ...reading, fault: death.fault }
    if (death === undefined || this.#lastClimate === undefined) this.#lastClimate = climate
    return { ...reading, ...this.#lastClimate }
  }

  #drawReportDue(): number {
    const jitterMs = this.#random.uniform(0, Math.min(this.#intervalMs * JITTER_SHARE, JITTER_MS_MAX))
    return Math.round(this.#frame.startMs + this.#phaseMs + this.#reports * this.#intervalMs + jitterMs)
  }
}
