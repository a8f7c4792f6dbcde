import { doorHorizon } from './core/doors.ts'
import type { Input } from './core/types.ts'
import { type DeviceContext, type UnitContext, viewOf } from './unit-context.ts'

interface Hub {
  /** -Infinity: there is none, as with the others. */
  newestEventMs: number
  heardAtMs: number
  horizonMs: number
}

/** How far what each hub says can be judged: a backlog that comes oldest first must not raise what its end disproves. */
export class HubHorizons {
  readonly #hubs = new Map<string, Hub>()
  readonly #ofDevice = new WeakMap<DeviceContext, Hub>()
  #connected: ReadonlySet<number> = new Set()

  /** The hubs that are connected by now. */
  setConnected(hubIds: ReadonlySet<number>): void {
    this.#connected = hubIds
  }

  /** What is known of a unit's devices and doors. */
  open(unit: UnitContext): void {
    for (const device of unit.devices.values()) {
      note(this.#of(device), viewOf(device).newestAtMs ?? -Infinity, device.hearing.heardAtMs ?? -Infinity)
    }
    this.heard(unit, unit.doors.events)
  }

  /** Something has arrived. */
  heard(unit: UnitContext, inputs: readonly Input[]): void {
    for (const { deviceId, atMs, receivedAtMs } of inputs) {
      const device = unit.devices.get(deviceId)
      if (device) note(this.#of(device), atMs, receivedAtMs)
    }
  }

  /** How far the doors of a device can be judged at the clock. */
  horizonMs(device: DeviceContext, nowMs: number): number {
    const hub = this.#of(device)
    const { hubId } = device.config
    hub.horizonMs = doorHorizon({
      nowMs,
      hubNewestEventMs: hub.newestEventMs,
      hubQuietSinceMs: hub.heardAtMs,
      // One that speaks for itself, or through a network server, has nobody who would keep a backlog for it.
      hubConnected: hubId === null || this.#connected.has(hubId),
      beforeMs: hub.horizonMs,
    })
    return hub.horizonMs
  }

  #of(device: DeviceContext): Hub {
    const known = this.#ofDevice.get(device)
    if (known) return known
    const { hubId, deviceId } = device.config
    const key = hubId === null ? `device ${deviceId}` : `hub ${hubId}`
    const hub = this.#hubs.get(key) ?? {
      newestEventMs: -Infinity,
      heardAtMs: -Infinity,
      horizonMs: -Infinity,
    }
    this.#hubs.set(key, hub)
    this.#ofDevice.set(device, hub)
    return hub
  }
}

function note(hub: Hub, atMs: number, heardAtMs: number): void {
  hub.newestEventMs = Math.max(hub.newestEventMs, atMs)
  hub.heardAtMs = Math.max(hub.heardAtMs, heardAtMs)
}
