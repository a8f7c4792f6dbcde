import type { Arrival, Principal } from '../../broker/types.ts'
import type { TestFleet } from '../../db/testing/fleet.ts'
import type { HeldMessage, PendingReading } from '../message.ts'

export function testPrincipal(fleet: TestFleet, hub = 0): Principal {
  const { id = 0, key = '' } = fleet.hubs[hub] ?? {}
  return {
    kind: 'hub',
    name: key,
    username: key,
    id,
    organizationId: fleet.organizationId,
    credentialHash: 'hash',
  }
}

/** A publish of a hub on one of its topics. */
export function testArrival(
  principal: Principal,
  channel: 'readings' | 'doors' | 'status',
  payload: unknown,
  change: Partial<Arrival> = {},
): Arrival {
  return {
    topic: `v1/hubs/${principal.name}/${channel}`,
    route: { kind: 'hub', hub: principal.name, channel },
    payload: Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
    qos: 1,
    dup: false,
    principal,
    clientId: 'test',
    isWill: false,
    receivedAt: Date.now(),
    arrivedAtMs: performance.now(),
    ...change,
  }
}

/** A message with nothing in it, counted as so many items. */
export function emptyMessage(arrival: Arrival, items: number): HeldMessage {
  return {
    arrival,
    subject: 'readings',
    readings: [],
    doors: [],
    rejects: [],
    status: null,
    receipt: null,
    seq: null,
    notes: [],
    items,
    doorItems: 0,
    isSpooled: false,
    done: () => {},
  }
}

/** A message with readings of the fleet's devices at the given times (epoch milliseconds), one device each. */
export function testMessage(fleet: TestFleet, times: readonly number[]): HeldMessage {
  const message = emptyMessage(testArrival(testPrincipal(fleet), 'readings', 'bytes'), times.length)
  message.readings = times.map(
    (recordedAtMs, item): PendingReading => ({
      deviceId: fleet.devices[item % fleet.devices.length]?.id ?? 0,
      unitId: fleet.unitId,
      organizationId: fleet.organizationId,
      recordedAtMs,
      receivedAtMs: message.arrival.receivedAt,
      temperature: 4,
      humidity: null,
      battery: null,
      rssi: null,
      snr: null,
      fault: null,
      source: 'hub',
      message,
      item,
    }),
  )
  return message
}
