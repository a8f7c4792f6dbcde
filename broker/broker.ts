import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { AedesBroker } from './aedes-broker.ts'
import { type BrokerSettings, checkBrokerSettings, OVERSIZED_KEPT_BYTES } from './config.ts'
import type { Connection, Incoming } from './connection.ts'
import { Connections } from './connections.ts'
import { type BrokerCounters, createCounters } from './counters.ts'
import { guardFrames } from './frame-guard.ts'
import { FrameScanner } from './frame-scanner.ts'
import { ConnectionGate } from './gate.ts'
import { HeldBytes } from './held-bytes.ts'
import { createAedes } from './hooks.ts'
import { type Clock, Intake } from './intake.ts'
import { type Addresses, Listeners } from './listeners.ts'
import { LogLimit } from './log-limit.ts'
import { type OwnMessage, PublishQueue } from './publish-queue.ts'
import { ReleaseOrder } from './release-order.ts'
import type { Accept, Authenticate, Presence, Principal } from './types.ts'

export interface BrokerOptions {
  settings: BrokerSettings
  accept: Accept
  authenticate: Authenticate
  presence: Presence
  log: Logger
  clock?: Clock
}

/** How long a closing connection may take to read its last acknowledgements. */
const CLOSE_GRACE_MS = 500
/** One log line of a kind per client and minute. */
const LOG_INTERVAL_MS = 60_000
const LOG_KEYS_MAX = 10_000

const SYSTEM_CLOCK: Clock = { now: () => Date.now(), monotonic: () => performance.now() }

/** Creates the broker; it takes connections after `listen`. Throws a `SettingsError` for settings that do not fit. */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  checkBrokerSettings(options.settings)
  const broker = new Broker(options)
  await broker.start()
  return broker
}

/**
 * The MQTT broker: who may connect, what they may publish; every publish is held until `accept` says that it is
 * durable. Modes: created → listening, by `listen` → draining, by `stopIntake` (no new connections and messages;
 * what is held is still acknowledged) → closed, by `close`.
 */
export class Broker {
  readonly counters: BrokerCounters = createCounters()
  readonly #settings: BrokerSettings
  readonly #connections: Connections
  readonly #gate: ConnectionGate
  readonly #held: HeldBytes
  readonly #intake: Intake
  readonly #aedes: AedesBroker
  readonly #queue: PublishQueue
  readonly #listeners: Listeners
  #closing: Promise<void> | undefined

  constructor({ settings, accept, authenticate, presence, log, clock = SYSTEM_CLOCK }: BrokerOptions) {
    const { counters } = this
    const logLimit = new LogLimit({ interval_ms: LOG_INTERVAL_MS, keysMax: LOG_KEYS_MAX })
    this.#settings = settings
    this.#connections = new Connections(presence)
    this.#gate = new ConnectionGate({
      connectionsMax: settings.MQTT_CONNECTIONS_MAX,
      unauthenticatedMax: settings.MQTT_UNAUTHENTICATED_MAX,
      counters,
    })
    this.#held = new HeldBytes({
      bytesMax: settings.MQTT_HELD_BYTES_MAX,
      onHeld: () => counters.readsHeld++,
    })
    this.#intake = new Intake({ accept, counters, held: this.#held, clock, log, logLimit })
    this.#aedes = createAedes({
      settings,
      counters,
      connections: this.#connections,
      gate: this.#gate,
      intake: this.#intake,
      authenticate,
      clock,
      log,
      logLimit,
    })
    this.#queue = new PublishQueue({
      messagesMax: settings.MQTT_PUBLISH_QUEUE_MAX,
      counters,
      publish: ({ topic, payload, qos, retain }, handedOver, done) =>
        this.#aedes.publishOwn({ cmd: 'publish', topic, payload, qos, retain, dup: false }, handedOver, done),
    })
    this.#listeners = new Listeners({
      settings,
      counters,
      log,
      admit: (socket) => this.#gate.admit(socket),
      attach: (incoming) => this.#attach(incoming),
    })
  }

  /** Starts Aedes; `createBroker` calls it. */
  async start(): Promise<void> {
    await this.#aedes.listen()
  }

  /** Opens the listeners and says where they are. Throws a `SettingsError` when a port cannot be had. */
  listen(): Promise<Addresses> {
    return this.#listeners.listen()
  }

  /**
   * Publishes a message of our own. Resolves when every connected subscriber's socket has taken it, or the
   * subscriber was dropped; rejects when the queue is full (MQTT_PUBLISH_QUEUE_MAX) or the broker closed.
   */
  publish(message: OwnMessage): Promise<void> {
    return this.#queue.add(message)
  }

  /** Ends the connections whose client fits, for example revoked ones, and says how many. */
  disconnectWhere(fits: (principal: Principal) => boolean): number {
    let count = 0
    for (const { principal, stream } of this.#connections.all()) {
      if (!principal || stream.destroyed || !fits(principal)) continue
      stream.destroy()
      count++
    }
    return count
  }

  /** How many hubs are connected; a hub with two connections is one. */
  connectedHubs(): number {
    return this.#connections.hubs
  }

  /** Open sockets, logged in or not. */
  openConnections(): number {
    return this.#gate.connections
  }

  /** Bytes of messages that wait for their commit, bookkeeping included. */
  heldBytes(): number {
    return this.#held.bytes
  }

  /** Closes the listeners and takes no further publishes; what is held is still acknowledged when it is durable. */
  stopIntake(): void {
    this.#intake.stop()
    this.#listeners.close()
    this.#gate.destroyWaiting()
  }

  /** Stops, sends what is queued for subscribers (MQTT_DRAIN_TIMEOUT_MS at most) and ends all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.stopIntake()
    await atMost(this.#settings.MQTT_DRAIN_TIMEOUT_MS, this.#queue.idle())
    this.#queue.close()
    const gone = [...this.#connections.all()].map((connection) => {
      connection.stream.end()
      return connection.gone
    })
    await atMost(CLOSE_GRACE_MS, Promise.all(gone))
    for (const connection of this.#connections.all()) connection.stream.destroy()
    this.#gate.destroyAll()
    await Promise.all(gone)
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
  }

  /** Starts MQTT on a stream; the answer tells whether its client has logged in. */
  #attach(incoming: Incoming): () => boolean {
    const { stream } = incoming
    const settings = this.#settings
    if (stream.destroyed) return () => false
    const scanner = new FrameScanner({
      message_bytes_max: settings.MQTT_MESSAGE_BYTES_MAX,
      frame_bytes_max: settings.MQTT_FRAME_BYTES_MAX,
      oversized_kept_bytes: OVERSIZED_KEPT_BYTES,
    })
    guardFrames(stream, {
      scanner,
      mayRead: () => this.#held.mayRead(stream),
      onViolation: (violation) => this.counters.frames[violation]++,
    })
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const connection: Connection = {
      ...incoming,
      client: this.#aedes.handle(stream),
      scanner,
      order: new ReleaseOrder(),
      filters: new Set(),
      gone,
      connect: undefined,
      crowdedOut: false,
      principal: undefined,
      clientId: '',
      failed: false,
      errorCounted: false,
      lastRoute: undefined,
    }
    this.#connections.add(connection)
    stream.once('close', () => void this.#forget(connection).then(resolve))
    return () => connection.principal !== undefined
  }

  /** Aedes needs one more turn to unsubscribe a closed client, to hand over its will and to forget it. */
  async #forget(connection: Connection): Promise<void> {
    this.#held.forget(connection.stream)
    await nextTurn()
    await nextTurn()
    this.#connections.remove(connection)
  }
}

async function atMost(timeout_ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  const late = sleep(timeout_ms, undefined, { signal: timer.signal }).catch(() => {})
  await Promise.race([work, late])
  timer.abort()
}
