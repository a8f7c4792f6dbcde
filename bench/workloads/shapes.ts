import type { LoadShape } from '../context.ts'

/**
 * The two ends of what hubs do: gather and send many readings at once, or pass each on as it comes. So many messages
 * in flight that the server always has more to do than it can.
 */
export const SHAPES: readonly LoadShape[] = [
  {
    name: '50 readings a message, 20 hubs',
    connections: 20,
    readingsPerMessage: 50,
    devices: 1_000,
    inFlightMax: 64,
  },
  {
    name: '1 reading a message, 1,000 hubs',
    connections: 1_000,
    readingsPerMessage: 1,
    devices: 1_000,
    inFlightMax: 20,
  },
]
