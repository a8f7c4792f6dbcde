import type { Arrival } from '../broker/types.ts'
import type { DeviceRecord } from '../db/registry.ts'
import { type Draft, draftMessage } from './draft.ts'
import type { HeldMessage } from './message.ts'
import { placeDraft } from './place.ts'
import type { HubPresence } from './presence.ts'
import type { Registry } from './registry.ts'
import { doubtfulDevices, type ResolveContext } from './resolve.ts'

export interface IntakeOptions {
  registry: Registry
  presence: HubPresence
  /** A message is decoded; it counts as received from now on. */
  onSeen: (message: HeldMessage) => void
  /** A message has its rows and is ready to be committed. */
  onReady: (message: HeldMessage) => void
  /** A message cannot be placed any more: its client must send it again. */
  onGivenUp: (message: HeldMessage, error: Error) => void
}

/** Turns arrivals into messages with rows: decodes, then finds the devices, asking the database for new ones. */
export class Intake {
  readonly #options: IntakeOptions
  /** The newest time of arrival given to a reading of each device that came without a time. */
  readonly #arrivalTimes = new Map<number, number>()
  #waiting = 0

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  accept(arrival: Arrival, done: (error?: Error) => void): void {
    const { presence, onSeen } = this.#options
    const { principal } = arrival
    if (principal.kind === 'hub' && !arrival.isWill) presence.seen(principal.id, arrival.receivedAt)
    const draft = draftMessage(arrival, done)
    // The dying connection still counts: a will is true only if no other connection of its hub lives.
    if (arrival.isWill && presence.connectionsOf(principal.id) > 1) draft.message.status = null
    onSeen(draft.message)
    const doubtful = doubtfulDevices([...draft.readings, ...draft.doors], this.#context(draft))
    if (doubtful.length === 0) this.#place(draft)
    else void this.#placeWhenLookedUp(draft, doubtful)
  }

  /** Messages that wait for a device to be looked up. */
  get waiting(): number {
    return this.#waiting
  }

  async #placeWhenLookedUp(draft: Draft, devEuis: readonly string[]): Promise<void> {
    const { registry, onGivenUp } = this.#options
    this.#waiting += 1
    try {
      const found = await Promise.all(devEuis.map((devEui) => registry.lookUpDevice(devEui)))
      this.#place(draft, new Map(devEuis.map((devEui, index) => [devEui, found[index]])))
    } catch (error) {
      onGivenUp(draft.message, error as Error)
    } finally {
      this.#waiting -= 1
    }
  }

  /** `lookedUp` holds the database's answers for this message: they count more than what is remembered. */
  #place(draft: Draft, lookedUp?: ReadonlyMap<string, DeviceRecord | undefined>): void {
    placeDraft(draft, this.#context(draft, lookedUp))
    this.#options.onReady(draft.message)
  }

  #context(
    { message, describe }: Draft,
    lookedUp?: ReadonlyMap<string, DeviceRecord | undefined>,
  ): ResolveContext {
    const { registry } = this.#options
    const { arrival } = message
    const { principal } = arrival
    return {
      describe,
      principal,
      hubSiteId: principal.kind === 'hub' ? (registry.logIn(principal.username)?.siteId ?? null) : null,
      receivedAtMs: arrival.receivedAt,
      find: (devEui) => (lookedUp?.has(devEui) ? lookedUp.get(devEui) : registry.device(devEui)),
      arrivalTime: (device, receivedAtMs) => this.#arrivalTime(device, receivedAtMs),
    }
  }

  /** Two readings without a time that arrive in the same millisecond are two readings: the later one gets the next. */
  #arrivalTime(device: DeviceRecord, receivedAtMs: number): number {
    const newest = this.#arrivalTimes.get(device.id)
    const atMs = newest === undefined ? receivedAtMs : Math.max(receivedAtMs, newest + 1)
    this.#arrivalTimes.set(device.id, atMs)
    return atMs
  }
}
