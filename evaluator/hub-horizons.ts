import { doorHorizon } from './core/doors.ts'
import type { DeviceContext, UnitContext } from './unit-context.ts'

interface Hub {
  newestEventMs: number | null
  heardAtMs: number | null
  horizonMs: number
}

/** How far what each hub says can be judged: a backlog that comes oldest first must not raise what its end disproves. */
export class HubHorizons {
  readonly #hubs = new Map<string, Hub>()
  #connected: ReadonlySet<number> = new Set()

  /** The hubs that are connected by now. */
  setConnected(hubIds: ReadonlySet<number>): void {
    this.#connected = hubIds
  }

  isConnected(hubId: number): boolean {
    return this.#connected.has(hubId)
  }

  /** Something has been heard of the unit's devices. */
  heard(unit: UnitContext): void {
    for (const device of unit.devices.values()) {
      const hub = this.#of(device)
      hub.newestEventMs = latest(hub.newestEventMs, device.view.newestAtMs)
      hub.heardAtMs = latest(hub.heardAtMs, device.hearing.heardAtMs)
    }
    for (const { deviceId, atMs, receivedAtMs } of unit.doors) {
      const device = unit.devices.get(deviceId)
      if (!device) continue
      const hub = this.#of(device)
      hub.newestEventMs = latest(hub.newestEventMs, atMs)
      hub.heardAtMs = latest(hub.heardAtMs, receivedAtMs)
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

  #of({ config: { hubId, deviceId } }: DeviceContext): Hub {
    const key = hubId === null ? `device ${deviceId}` : `hub ${hubId}`
    const known = this.#hubs.get(key)
    if (known) return known
    const hub = { newestEventMs: null, heardAtMs: null, horizonMs: -Infinity }
    this.#hubs.set(key, hub)
    return hub
  }
}

function latest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.max(a, b)
}
