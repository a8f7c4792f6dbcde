import type { ReadingRow } from '../../db/copy/readings.ts'

export interface FleetShape {
  devices: number
  /** Devices that one hub speaks for. */
  devicesPerHub: number
  /** Between two readings of a device. */
  intervalMs: number
  /** A hub sends what its devices have measured since it last sent. */
  hubSendMs: number
}

/** The first reading is measured here: 2026-01-01 UTC. */
export const FIRST_MS = Date.UTC(2026, 0, 1)

/** Spreads devices over their interval: the next multiple of the golden ratio is far from those before it. */
const GOLDEN = 0.618_033_988_749_895

/**
 * The rows of a fleet in the order in which they arrive, without end: hubs send one after the other, each what its
 * devices have measured since its last message, so measured times are up to `hubSendMs` out of order.
 */
export function* arrivals(fleet: FleetShape): Generator<ReadingRow> {
  const hubs = Math.ceil(fleet.devices / fleet.devicesPerHub)
  const phases = Float64Array.from({ length: fleet.devices }, (_, device) =>
    Math.floor(((device * GOLDEN) % 1) * fleet.intervalMs),
  )
  for (let round = 1; ; round += 1) {
    for (let hub = 0; hub < hubs; hub += 1) {
      const sentMs = (round + hub / hubs) * fleet.hubSendMs
      const first = hub * fleet.devicesPerHub
      const end = Math.min(first + fleet.devicesPerHub, fleet.devices)
      for (let device = first; device < end; device += 1) {
        yield* readingsBetween(
          device,
          phases[device] ?? 0,
          sentMs - fleet.hubSendMs,
          sentMs,
          fleet.intervalMs,
        )
      }
    }
  }
}

/** The readings of a device measured at or after `fromMs` and before `toMs`, both counted from the beginning. */
function* readingsBetween(
  device: number,
  phaseMs: number,
  fromMs: number,
  toMs: number,
  intervalMs: number,
): Generator<ReadingRow> {
  let atMs = phaseMs + Math.max(0, Math.ceil((fromMs - phaseMs) / intervalMs)) * intervalMs
  for (; atMs < toMs; atMs += intervalMs) {
    yield {
      deviceId: device + 1,
      unitId: Math.floor(device / DEVICES_PER_UNIT) + 1,
      organizationId: 1,
      recordedAtMs: FIRST_MS + atMs,
      receivedAtMs: FIRST_MS + Math.floor(toMs),
      temperature: 4 + (device % 100) / 100,
      humidity: 50.5,
      battery: 88,
      rssi: -91,
      snr: 7.5,
      fault: null,
      source: 'hub',
    }
  }
}

/** Devices that stand in one unit: for example air, product and door. */
export const DEVICES_PER_UNIT = 3
