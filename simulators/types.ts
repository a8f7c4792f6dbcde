/** What the parts of the simulators hand to each other. */
import type { DoorState, Fault } from '../ingest/payloads.ts'
import type { FaultName } from './faults/rates.ts'

/** A unit as the simulators need it, from a fleet file. */
export interface PlannedUnit {
  /** "<site>/<area>/<unit>", unique within the fleet. */
  id: string
  unitType: string
  /** °C; null where the fleet file sets no limit. */
  tempMin: number | null
  tempMax: number | null
  devices: PlannedDevice[]
}

export interface PlannedDevice {
  devEui: string
  deviceType: string
  intervalSeconds: number
  /** What publishes for it: a hub's key, `ns:<key>` for a network server, undefined for a device that connects by itself. */
  hub: string | undefined
}

export interface FleetPlan {
  /** Slug. */
  organization: string
  units: PlannedUnit[]
  /** Keys of all hubs. */
  hubs: string[]
}

/** °C, % relative humidity, % battery, dBm, dB; `measuredAtMs` is true time (epoch ms), whatever the publisher's clock makes of it. */
export interface MeasuredReading {
  kind: 'reading'
  devEui: string
  measuredAtMs: number
  temperature?: number
  humidity?: number
  battery?: number
  rssi?: number
  snr?: number
  fault?: Fault
}

interface MeasuredDoor {
  kind: 'door'
  devEui: string
  measuredAtMs: number
  state: DoorState
}

/** What a sensor has measured. */
export type Measurement = MeasuredReading | MeasuredDoor

/** Who logs in: a hub's key, "ns:<key>" for a network server, or "device:<DevEUI>" for a device that connects by itself. */
export type PublisherName = string

/** The rates of all faults, each in the unit that `simulators/faults/rates.ts` gives it. */
export type FaultRates = Record<FaultName, number>
