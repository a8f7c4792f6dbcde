import type { DoorState, Fault } from '../../../payloads.ts'

/** One temperature of a device that may have several. */
export interface Probe {
  /** `internal`, `external`, `external_2`, ...: what `lora_sensors.temperature_source` may name. */
  channel: string
  /** The field that said it, which `temperature_source` may name too; null where none did. */
  field: string | null
  /** °C; null with a fault. */
  temperature: number | null
  fault: Fault | null
  /** The device says that this probe is not plugged in at all: it counts only for who has asked for it. */
  isAbsent: boolean
}

/** What a device says of one moment. */
export interface Measures {
  probes: Probe[]
  /** %. */
  humidity: number | null
  /** %. */
  battery: number | null
  door: DoorState | null
  /** The device's own time, epoch milliseconds, plausible or not; null when its codec gives none. */
  atMs: number | null
  /** How long before its frame it was measured, milliseconds, where the device counts so; null where it does not. */
  beforeMs: number | null
  /** Measured earlier and kept by the device: without a time of its own it belongs nowhere. */
  isHistory: boolean
}

export function noMeasures(isHistory = false): Measures {
  return { probes: [], humidity: null, battery: null, door: null, atMs: null, beforeMs: null, isHistory }
}

export function saysNothing({ probes, humidity, battery, door }: Measures): boolean {
  return probes.length === 0 && humidity === null && battery === null && door === null
}
