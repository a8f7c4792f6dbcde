import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'

export interface ConnectionOptions {
  /** Without a password: those come apart. */
  url: string
  clientId: string
  username: string | undefined
  password: string | undefined
  /** PEM. */
  tlsCa: string | undefined
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5
  /** How long the broker keeps the session while we are away (MQTT 5). */
  sessionExpirySeconds: number
  keepaliveSeconds: number
  filters: readonly string[]
}

/** Called exactly once, when the message is durable, or with why it was not taken. */
export type Done = (error?: Error) => void

export interface ConnectionEvents {
  /** Subscribed: `granted` is the lowest QoS that the broker gave; `isKept` whether it still had our session. */
  opened(granted: number, isKept: boolean): void
  /** A message; it is acknowledged when `done` is called without an error. */
  received(packet: IPublishPacket, done: Done): void
  /** Asked after each message; when it is false nothing more is read until `resume`. */
  mayRead(): boolean
  /** A PUBACK is written. */
  acknowledged(): void
  /** The connection has ended, or could not be made; comes once and last. */
  closed(reason: string): void
}

/** A message that is not durable yet, or waits for one before it. */
interface Held {
  messageId: number | undefined
  isDone: boolean
}

const CONNECT_TIMEOUT_MS = 15_000
/** MQTT 5: on subscribing, send nothing that was retained before. */
const RETAIN_HANDLING_NONE = 2
/** MQTT.js sends no PUBACK for a message that `handleMessage` reports an error for, and goes on: lib/handlers/publish.ts. */
const ACKNOWLEDGED_LATER = new Error('acknowledged when it is durable')

/**
 * One connection to a broker, from its attempt to its end, with the acknowledgements in our hands: a PUBACK is sent when
 * `done` is called, in the order in which the messages came [MQTT-4.6.0-2], with as many in flight as the broker lets.
 * The session is kept by the broker: what has no PUBACK when the connection ends comes again on the next one.
 *
 * MQTT.js has no such acknowledging. This stands on two things of it, pinned by connection.test.ts: what an error of
 * `handleMessage` does, and `_sendPacket`.
 */
export class Connection {
  readonly #client: MqttClient
  readonly #events: ConnectionEvents
  /** Of QoS 1, in the order in which they came. */
  readonly #held = new Set<Held>()
  #isAlive = true
  #reason = 'the connection was closed'
  #goOn: (() => void) | undefined
  #pings: NodeJS.Timeout | undefined

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events
    this.#client = mqtt.connect(options.url, clientOptions(options))
    // Before the first packet can come: a kept session delivers right behind CONNACK.
    this.#client.handleMessage = (packet, next) => this.#handle(packet, next)
    this.#client.on('connect', ({ sessionPresent }) => void this.#subscribe(options.filters, sessionPresent))
    // Of packets that cannot be parsed MQTT.js says so and reads on behind them: only a new connection brings them again.
    this.#client.on('error', (error) => this.abort(reasonOf(error)))
    this.#client.on('disconnect', ({ reasonCode }) => {
      this.#reason = `the broker ended the connection, reason code ${reasonCode ?? 0}`
    })
    this.#client.on('close', () => this.#closed())
  }

  /** Reads on, where `mayRead` has stopped it. */
  resume(): void {
    const goOn = this.#goOn
    this.#goOn = undefined
    clearInterval(this.#pings)
    goOn?.()
  }

  /** Ends the connection at once; what is not acknowledged comes again. */
  abort(reason: string): void {
    if (!this.#isAlive) return
    this.#reason = reason
    this.#client.end(true)
    this.#closed()
  }

  /**
   * Says DISCONNECT behind the last PUBACK, and no more to its events; the broker keeps the session. One that has not let
   * the connection end by then, or still owes an answer, is not waited for.
   */
  async close(timeoutMs: number): Promise<void> {
    if (!this.#isAlive) return
    this.#isAlive = false
    // What was not read keeps the socket open.
    this.resume()
    const { stream } = this.#client
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    this.#client.once('close', () => resolve())
    // `end` may wait for answers of the broker, and forces nothing once it does.
    const timer = setTimeout(() => stream.destroy(), timeoutMs)
    this.#client.end(!this.#client.connected)
    await ended
    clearTimeout(timer)
  }

  async #subscribe(filters: readonly string[], isKept: boolean): Promise<void> {
    try {
      const grants = await this.#client.subscribeAsync([...filters], { qos: 1, rh: RETAIN_HANDLING_NONE })
      if (this.#isAlive) this.#events.opened(Math.min(...grants.map(({ qos }) => qos)), isKept)
    } catch (error) {
      this.abort(`the subscription to ${filters.join(', ')} failed: ${reasonOf(error)}`)
    }
  }

  #handle(packet: IPublishPacket, next: (error?: Error) => void): void {
    // Parsed before the connection ended, or to be left for the next one: it comes again.
    if (!this.#isAlive) {
      next(ACKNOWLEDGED_LATER)
      return
    }
    const held: Held = { messageId: packet.qos === 1 ? packet.messageId : undefined, isDone: false }
    if (packet.qos === 1) this.#held.add(held)
    this.#events.received(packet, (error) => this.#finish(held, error))
    const goOn = () => (packet.qos === 1 ? next(ACKNOWLEDGED_LATER) : next())
    if (this.#events.mayRead()) goOn()
    else this.#pause(goOn)
  }

  /**
   * MQTT.js handles the next packet when this one is done with, and reads no more until then. PINGRESP waits with the
   * others: so that neither side takes the other for dead, we ping without expecting an answer.
   */
  #pause(goOn: () => void): void {
    this.#goOn = goOn
    // Ours, or what the broker has answered instead (MQTT 5).
    const pingEveryMs = (this.#client.keepalive * 1_000) / 2
    this.#pings = setInterval(() => {
      this.#client.sendPing()
      this.#client.reschedulePing(true)
    }, pingEveryMs)
  }

  #finish(held: Held, error: Error | undefined): void {
    if (!this.#isAlive) return
    if (error && held.messageId !== undefined) {
      // MQTT 3.1.1 has no other way to get it again.
      this.abort(`a message was not taken: ${error.message}`)
      return
    }
    held.isDone = true
    for (const first of this.#held) {
      if (!first.isDone) return
      this.#held.delete(first)
      this.#client['_sendPacket']({ cmd: 'puback', messageId: first.messageId })
      this.#events.acknowledged()
    }
  }

  #closed(): void {
    clearInterval(this.#pings)
    if (!this.#isAlive) return
    this.#isAlive = false
    this.#client.end(true)
    this.#events.closed(this.#reason)
  }
}

function clientOptions(options: ConnectionOptions): IClientOptions {
  const { clientId, username, password, tlsCa, protocolVersion, sessionExpirySeconds, keepaliveSeconds } =
    options
  return {
    clientId,
    protocolVersion,
    clean: false,
    keepalive: keepaliveSeconds,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A client is one connection: packet ids mean nothing on the next one.
    reconnectPeriod: 0,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tlsCa === undefined ? {} : { ca: tlsCa }),
    ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: sessionExpirySeconds } } : {}),
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A host with several addresses fails with an AggregateError, whose message is empty.
  return error.message || ('code' in error ? String(error.code) : error.name)
}
