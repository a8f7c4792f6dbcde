import type { LoadShape } from '../context.ts'

/** Hubs that gather what many devices measure. */
export const GATHERED: LoadShape = {
  name: '50 readings a message, 20 hubs',
  connections: 20,
  readingsPerMessage: 50,
  devices: 1_000,
  inFlightMax: 64,
}

/** Hubs that pass each reading on as it comes. */
const ONE_BY_ONE: LoadShape = {
  name: '1 reading a message, 1,000 hubs',
  connections: 1_000,
  readingsPerMessage: 1,
  devices: 1_000,
  inFlightMax: 20,
}

/**
 * The two ends of what hubs do. So many messages in flight that the server always has more to do than it can.
 */
export const SHAPES: readonly LoadShape[] = [GATHERED, ONE_BY_ONE]
