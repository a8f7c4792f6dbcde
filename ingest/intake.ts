import { setTimeout as sleep } from 'node:timers/promises'
import type { Arrival } from '../broker/types.ts'
import type { DeviceRecord } from '../db/registry.ts'
import { isBacklog } from './backlog.ts'
import { DatabaseAwayError } from './database-away.ts'
import type { TimeOfFrame } from './decode/lora/uplink-items.ts'
import type { Defects } from './defects.ts'
import { type Draft, draftMessage } from './draft.ts'
import type { Frame } from './lora/frames.ts'
import type { HeldMessage } from './message.ts'
import { isNetworkEvent, type NetworkRoute } from './network-route.ts'
import { placeDraft } from './place.ts'
import type { HubPresence } from './presence.ts'
import type { Registry } from './registry.ts'
import { doubtfulDevices, type ResolveContext } from './resolve.ts'
import { isStranger, lookUpStranger } from './strangers.ts'

export interface IntakeOptions {
  registry: Registry
  presence: HubPresence
  defects: Defects
  /**
   * A message is decoded; it counts as received from now on. `earlier` counted for it until now, while its sender was not
   * known.
   */
  onSeen: (message: HeldMessage, earlier?: HeldMessage) => void
  /** A message has its rows and is ready to be committed. */
  onReady: (message: HeldMessage) => void
  /** Readings that are older than this when they arrive are a backlog. */
  backlogAgeMs: number
  /** How long the look-up of a message's sender or devices may take. */
  lookUpMs: number
  /** Whether the database is known to be away: it is not asked then, as others would wait for the answer. */
  isAway: () => boolean
  /** A message's sender or devices could not be looked up. Resolves to whether somebody has taken it; if not, it is tried again. */
  onUnplaced: (message: HeldMessage) => Promise<boolean>
  /** A message cannot be placed any more, as the service ends: its client must send it again. */
  onGivenUp: (message: HeldMessage, error: Error) => void
  /** The network's time of a frame: that of its first copy, where it has come before. */
  timeOfFrame: TimeOfFrame
  /** A network server speaks of a sensor, without readings: it is acknowledged at once. */
  onNetworkEvent: (arrival: Arrival, route: NetworkRoute) => void
  /** A sensor of LoRaWAN was heard. */
  onFrame: (deviceId: number, frame: Frame) => void
  signal: AbortSignal
}

type Done = (error?: Error) => void

const LOOK_UP_RETRY_MS = 250
/** What a decoded reading or reject takes in memory, about: faults/pressure-memory.soak.test.ts. */
const HELD_ITEM_BYTES = 384

/** Turns arrivals into messages with rows: decodes, then finds the devices, asking the database for new ones. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #find = (devEui: string) => this.#options.registry.device(devEui)
  readonly #arrivalTime = freeTimes()
  /** For what comes out of the spool, in the order in which it had arrived. */
  readonly #spooledTime = freeTimes()
  #waiting = 0

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  accept(arrival: Arrival, done: Done): void {
    const { onNetworkEvent } = this.#options
    const { principal, route } = arrival
    if (isNetworkEvent(route)) {
      onNetworkEvent(arrival, route)
      done()
      return
    }
    if (isStranger(principal)) void this.#takeWhenKnown(arrival, done)
    else this.#take(arrival, done)
  }

  #take(arrival: Arrival, done: Done, earlier?: HeldMessage): void {
    const { presence, onSeen } = this.#options
    const { principal } = arrival
    if (principal.kind === 'hub' && !arrival.isWill) presence.seen(principal.id, arrival.receivedAt)
    const draft = this.#decode(arrival, done)
    arrival.decodedBytes = draft.message.items * HELD_ITEM_BYTES
    arrival.isBacklog = isBacklog(draft, this.#options.backlogAgeMs)
    // The dying connection still counts: a will is true only if no other connection of its hub lives.
    if (arrival.isWill && presence.connectionsOf(principal.id) > 1) draft.message.status = null
    onSeen(draft.message, earlier)
    const context = this.#context(draft)
    const doubtful = this.#doubtful(draft, context)
    if (doubtful.length > 0) {
      void this.#readyWhenLookedUp(draft, doubtful)
      return
    }
    this.#place(draft, context)
    this.#options.onReady(draft.message)
  }

  /**
   * A message of the spool again: decoded and placed, as if it had just arrived but for its time of arrival. Rejects with
   * a `DatabaseAwayError` when its sender or its devices cannot be looked up.
   */
  async prepare(spooled: Arrival, done: Done): Promise<HeldMessage> {
    const arrival = isStranger(spooled.principal) ? await this.#withSender(spooled) : spooled
    const draft = this.#decode(arrival, done)
    draft.message.isSpooled = true
    // Its hub has come back since.
    if (arrival.isWill && this.#options.presence.connectionsOf(arrival.principal.id) > 0)
      draft.message.status = null
    const context = this.#context(draft)
    const doubtful = this.#doubtful(draft, context)
    this.#place(draft, doubtful.length > 0 ? this.#context(draft, await this.#lookUp(doubtful)) : context)
    return draft.message
  }

  /** Messages that wait for a device to be looked up. */
  get waiting(): number {
    return this.#waiting
  }

  #decode(arrival: Arrival, done: Done): Draft {
    try {
      requireKnownTopic(arrival)
      return draftMessage(arrival, done, this.#options.timeOfFrame)
    } catch (error) {
      return this.#options.defects.undecoded(arrival, done, error)
    }
  }

  #doubtful(draft: Draft, context: ResolveContext): readonly string[] {
    try {
      return doubtfulOf(draft, context)
    } catch (error) {
      this.#options.defects.unplaced(draft, error)
      return []
    }
  }

  /**
   * Of a sender that is not in memory: asked of the database. Where that is away, the spool takes the message, and its
   * sender is asked for when it is drained.
   */
  async #takeWhenKnown(arrival: Arrival, done: Done): Promise<void> {
    const { onSeen, onUnplaced, onGivenUp } = this.#options
    let unknown: HeldMessage | undefined
    this.#waiting += 1
    try {
      const known = await this.#asked(
        () => this.#withSender(arrival),
        () => {
          if (!unknown) {
            unknown = this.#decode(arrival, done).message
            onSeen(unknown)
          }
          return onUnplaced(unknown)
        },
      )
      if (known) this.#take(known, done, unknown)
    } catch (error) {
      if (unknown) onGivenUp(unknown, error as Error)
      else done(error as Error)
    } finally {
      this.#waiting -= 1
    }
  }

  async #withSender(arrival: Arrival): Promise<Arrival> {
    const { registry } = this.#options
    return { ...arrival, principal: await this.#inTime(lookUpStranger(arrival.principal, registry)) }
  }

  async #readyWhenLookedUp(draft: Draft, devEuis: readonly string[]): Promise<void> {
    const { onUnplaced, onGivenUp, onReady } = this.#options
    this.#waiting += 1
    try {
      const found = await this.#asked(
        () => this.#lookUp(devEuis),
        () => onUnplaced(draft.message),
      )
      if (!found) return
      this.#place(draft, this.#context(draft, found))
      onReady(draft.message)
    } catch (error) {
      onGivenUp(draft.message, error as Error)
    } finally {
      this.#waiting -= 1
    }
  }

  /** What the database answers, asked until it does; undefined once `unplaced` says that the message is taken without it. */
  async #asked<T extends object>(
    ask: () => Promise<T>,
    unplaced: () => Promise<boolean>,
  ): Promise<T | undefined> {
    const { isAway, signal } = this.#options
    for (;;) {
      const answer = isAway() ? undefined : await ask().catch(() => undefined)
      if (answer) return answer
      if (await unplaced()) return undefined
      await sleep(LOOK_UP_RETRY_MS, undefined, { signal })
    }
  }

  async #lookUp(devEuis: readonly string[]): Promise<Map<string, DeviceRecord | undefined>> {
    const { registry } = this.#options
    const found = await this.#inTime(Promise.all(devEuis.map((devEui) => registry.lookUpDevice(devEui))))
    return new Map(devEuis.map((devEui, index) => [devEui, found[index]]))
  }

  /** What the database answers. Rejects with a `DatabaseAwayError` where it does not, or not in time. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const { lookUpMs } = this.#options
    const over = new AbortController()
    const late = sleep(lookUpMs, undefined, { signal: over.signal }).then(() => {
      throw new Error(`the database has not answered a look-up for ${lookUpMs} ms`)
    })
    try {
      return await Promise.race([answer, late])
    } catch (error) {
      throw new DatabaseAwayError(error)
    } finally {
      late.catch(() => undefined)
      over.abort()
    }
  }

  #place(draft: Draft, context: ResolveContext): void {
    try {
      placeDraft(draft, context)
      this.#noteFrame(draft, context)
    } catch (error) {
      this.#options.defects.unplaced(draft, error)
    }
  }

  #noteFrame({ frame }: Draft, { principal, find }: ResolveContext): void {
    if (!frame) return
    const device = find(frame.device)
    if (device?.organizationId === principal.organizationId) this.#options.onFrame(device.id, frame)
  }

  /** `lookedUp` holds the database's answers for this message: they count more than what is remembered. */
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
      find: lookedUp
        ? (devEui) => (lookedUp.has(devEui) ? lookedUp.get(devEui) : registry.device(devEui))
        : this.#find,
      arrivalTime: message.isSpooled ? this.#spooledTime : this.#arrivalTime,
    }
  }
}

/** Two readings without a time that arrive in the same millisecond are two readings: the later one gets the next. */
function freeTimes(): ResolveContext['arrivalTime'] {
  const newestOf = new Map<number, number>()
  return (device, receivedAtMs) => {
    const newest = newestOf.get(device.id)
    const atMs = newest === undefined ? receivedAtMs : Math.max(receivedAtMs, newest + 1)
    newestOf.set(device.id, atMs)
    return atMs
  }
}

function doubtfulOf({ readings, doors }: Draft, context: ResolveContext): readonly string[] {
  return doubtfulDevices(doors.length > 0 ? doors : readings, context)
}

/** The topic was one of its client's when the message arrived; another version may have spooled it. */
function requireKnownTopic({ route, topic }: Arrival): void {
  if (route.kind === 'unknown')
    throw new Error(`The spool holds a message on the topic ${topic}, which this version does not know.`)
}
