import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { Acknowledgements } from './acknowledgements.ts'
import { addressKey } from './address.ts'
import type { AedesBroker } from './aedes-broker.ts'
import { type BrokerSettings, checkBrokerSettings } from './config.ts'
import type { Connection, Incoming } from './connection.ts'
import { Connections } from './connections.ts'
import { type BrokerCounters, createCounters, type FrameViolation } from './counters.ts'
import { guardFrames } from './frame-guard.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { ConnectionGate } from './gate.ts'
import type { HeldBytes } from './held-bytes.ts'
import { contain, createAedes } from './hooks.ts'
import { type Clock, Intake } from './intake.ts'
import type { LeakyBuckets } from './leaky-buckets.ts'
import {
  createFlapping,
  createGate,
  createHeldBytes,
  createLockOut,
  createTakeovers,
  frameLimits,
} from './limits.ts'
import { type Addresses, Listeners } from './listeners.ts'
import type { LockOut } from './lock-out.ts'
import { LogLimit } from './log-limit.ts'
import { type OwnMessage, PublishQueue } from './publish-queue.ts'
import { ReadAhead } from './read-ahead.ts'
import { ReleaseOrder } from './release-order.ts'
import { type RepeatedPacket, RepeatedPublish } from './repeated-publish.ts'
import type { Accept, Authenticate, Presence, Principal, StillValid } from './types.ts'

export interface BrokerOptions {
  settings: BrokerSettings
  accept: Accept
  authenticate: Authenticate
  /** Asked when a log-in that was accepted is let in: `disconnectWhere` does not see one that is still being checked. */
  stillValid: StillValid
  presence: Presence
  /** Told of each PUBACK and PUBREC when it is about to be written, milliseconds after the arrival of its message. */
  onAcknowledged?: (afterMs: number) => void
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
  readonly #lockOut: LockOut
  readonly #flapping: LeakyBuckets
  readonly #clock: Clock
  readonly #log: Logger
  readonly #logLimit: LogLimit
  readonly #intake: Intake
  readonly #aedes: AedesBroker
  readonly #queue: PublishQueue
  readonly #listeners: Listeners
  #closing: Promise<void> | undefined

  constructor(options: BrokerOptions) {
    const { settings, accept, authenticate, stillValid, presence, log, clock = SYSTEM_CLOCK } = options
    const { onAcknowledged = () => {} } = options
    const { counters } = this
    const logLimit = new LogLimit({ interval_ms: LOG_INTERVAL_MS, keysMax: LOG_KEYS_MAX })
    this.#settings = settings
    this.#clock = clock
    this.#log = log
    this.#logLimit = logLimit
    this.#connections = new Connections(presence)
    this.#gate = createGate(settings, { counters, clock, log, logLimit })
    this.#held = createHeldBytes(settings, { counters, clock, log, logLimit })
    this.#lockOut = createLockOut(settings)
    this.#flapping = createFlapping(settings)
    this.#intake = new Intake({ accept, onAcknowledged, counters, clock, log, logLimit })
    this.#aedes = createAedes({
      settings,
      counters,
      connections: this.#connections,
      gate: this.#gate,
      intake: this.#intake,
      held: this.#held,
      lockOut: this.#lockOut,
      takeovers: createTakeovers(settings, clock),
      flapping: this.#flapping,
      authenticate,
      stillValid,
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

  /** Of these, sockets without a CONNECT and log-ins being checked. */
  unauthenticatedConnections(): number {
    return this.#gate.unauthenticated
  }

  /** Memory of the messages that wait for their commit, by what they are counted with. */
  heldBytes(): number {
    return this.#held.bytes
  }

  /** Connections that are not read because their next PUBLISH must wait. */
  waitingConnections(): number {
    return this.#held.waiting
  }

  /** Usernames of hubs that lose their connection and log in again more often than they should. */
  flappingHubs(): string[] {
    return this.#flapping.full(this.#clock.monotonic())
  }

  /** Pairs of username and address, and addresses, whose secrets are not checked after too many wrong ones. */
  lockedOut(): number {
    return this.#lockOut.lockedOut(this.#clock.monotonic())
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
    if (stream.destroyed) return () => false
    const client = this.#aedes.handle(stream)
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const repeated = new RepeatedPublish()
    const connection: Connection = {
      ...incoming,
      client,
      scanner: new FrameScanner(
        frameLimits(this.#settings),
        (frameBytes) => connection.admission?.begin(frameBytes) ?? false,
        { publishes: repeated, take: (packet) => this.#takeAgain(connection, packet) },
      ),
      order: new ReleaseOrder((held) => this.#intake.answer(connection, held)),
      acknowledgements: new Acknowledgements(client, (count) => {
        this.counters.acknowledgementsDropped += count
      }),
      repeated,
      readAhead: new ReadAhead(client),
      filters: new Set(),
      gone,
      connect: undefined,
      keepaliveSeconds: 0,
      keepalive: undefined,
      admission: undefined,
      crowdedOut: false,
      principal: undefined,
      clientId: '',
      failed: false,
      errorCounted: false,
      lastRoute: undefined,
    }
    guardFrames(stream, {
      scanner: connection.scanner,
      mayRead: () => !stream.destroyed && !client.closed && !connection.admission?.isWaiting,
      onHeard: () => connection.keepalive?.heard(),
      onViolation: (violation) => this.#noteViolation(connection, violation),
    })
    this.#connections.add(connection)
    stream.once('close', () => void this.#forget(connection).then(resolve))
    return () => connection.principal !== undefined
  }

  #takeAgain(connection: Connection, packet: RepeatedPacket): void {
    const parts = { log: this.#log, logLimit: this.#logLimit, clock: this.#clock }
    const end = (error: Error) => connection.stream.destroy(error)
    contain(parts, end, () => this.#intake.publishAgain(connection, packet))
  }

  #noteViolation({ remoteAddress, principal }: Connection, violation: FrameViolation): void {
    this.counters.frames[violation]++
    const subject = principal?.username ?? addressKey(remoteAddress)
    if (!this.#logLimit.allows(`frame ${subject}`, this.#clock.monotonic())) return
    this.#log.warn({ remoteAddress, username: principal?.username }, `connection ended: ${violation}`)
  }

  /** Aedes needs one more turn to unsubscribe a closed client, to hand over its will and to forget it. */
  async #forget(connection: Connection): Promise<void> {
    connection.keepalive?.stop()
    await nextTurn()
    await nextTurn()
    connection.admission?.leave()
    this.#connections.remove(connection)
  }
}

async function atMost(timeout_ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  const late = sleep(timeout_ms, undefined, { signal: timer.signal }).catch(() => {})
  await Promise.race([work, late])
  timer.abort()
}
