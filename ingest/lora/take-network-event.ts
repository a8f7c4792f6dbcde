import type { Arrival } from '../../broker/types.ts'
import { type NetworkEvent, parseNetworkEvent } from '../decode/lora/network-event.ts'
import type { NetworkRoute } from '../network-route.ts'
import type { Registry } from '../registry.ts'
import type { LoraPresence } from './lora-presence.ts'

interface Parts {
  registry: Pick<Registry, 'device'>
  lora: LoraPresence
}

/**
 * What a network server says of a sensor of its organization beside readings. False for what is of no use: another kind
 * of event, one that cannot be read, a sensor that is not known.
 */
export function takeNetworkEvent(arrival: Arrival, route: NetworkRoute, { registry, lora }: Parts): boolean {
  const { event: kind } = route
  if (kind !== 'join' && kind !== 'status') return false
  const parsed = parseNetworkEvent(route.kind, kind, arrival.payload)
  if (!parsed.ok) return false
  const device = deviceOf(parsed.event, route, registry)
  if (device?.organizationId !== arrival.principal.organizationId) return false
  const { join, battery } = parsed.event
  // A clock that runs ahead would make all that follows look late.
  const atMs = Math.min(parsed.event.atMs ?? arrival.receivedAt, arrival.receivedAt)
  if (join) lora.joined(device.id, { atMs, ...join })
  else lora.reported(device.id, { atMs, percent: battery })
  return true
}

/** Where the topic names the device, the message must not name another one. */
function deviceOf({ devEui }: NetworkEvent, route: NetworkRoute, registry: Parts['registry']) {
  const named = route.kind === 'chirpstack' ? route.devEui : devEui
  if (named === null || (devEui !== null && devEui !== named)) return undefined
  return registry.device(named)
}
