import type { FaultName } from './rates.ts'

/** The faults of messages and hubs, which this folder makes; those of sensors and units are the world's. */
const DELIVERY_FAULTS = [
  'late',
  'duplicate',
  'out_of_order',
  'missing',
  'malformed',
  'clock_drift',
  'reboot',
  'flapping',
] as const satisfies readonly FaultName[]

/** How often each fault has happened in a run. */
export type FaultCounts = Record<(typeof DELIVERY_FAULTS)[number], number>

export function noFaults(): FaultCounts {
  return Object.fromEntries(DELIVERY_FAULTS.map((name) => [name, 0])) as FaultCounts
}
