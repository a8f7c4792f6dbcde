import type { Route } from '../broker/types.ts'

/** The topic of a LoRaWAN network server. */
export type NetworkRoute = Extract<Route, { kind: 'chirpstack' | 'things_stack' }>

function isNetwork(route: Route): route is NetworkRoute {
  return route.kind === 'chirpstack' || route.kind === 'things_stack'
}

/** What a sensor has sent. */
export function isUplink(route: Route): route is NetworkRoute {
  return isNetwork(route) && route.event === 'up'
}

/** What a network server says of joins, batteries, downlinks, its log and locations: no readings are in it. */
export function isNetworkEvent(route: Route): route is NetworkRoute {
  return isNetwork(route) && route.event !== 'up'
}
