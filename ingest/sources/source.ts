import type { IPublishPacket } from 'mqtt'
import type { Logger } from 'pino'
import type { Accept, Arrival, Principal, Route } from '../../broker/types.ts'
import type { Registry } from '../registry.ts'
import { Backoff } from './backoff.ts'
import { type Budget, heldBytes } from './budget.ts'
import { Connection, type Done } from './connection.ts'
import type { SourceConfig } from './source-file.ts'
import { speakerOf, usernameOf } from './speakers.ts'

export interface SourceOptions {
  config: SourceConfig
  accept: Accept
  /** What a publish of this client to this topic means. */
  routeOf: (principal: Principal, topic: string) => Route | undefined
  registry: Pick<Registry, 'logIn'>
  budget: Budget
  /** A larger payload is set aside as `too_large`. */
  messageBytesMax: number
  /** Told of each PUBACK when it is about to be written, milliseconds after the arrival of its message. */
  onAcknowledged: (afterMs: number) => void
  log: Logger
}

export interface SourceCounters {
  /** Messages handed to ingest. */
  received: number
  /**
   * Not stored, by why: `topic` is no data of ours and `retained` came before, both are acknowledged; `lost` came
   * with QoS 0 and was not taken: ingest gave it back.
   */
  ignored: { topic: number; retained: number; lost: number }
  acknowledged: number
  /** Connections after the first. */
  reconnects: number
  /** Those on which the broker had our session no more, and with it what had come meanwhile. */
  sessionsLost: number
}

type Mode = 'waiting' | 'connecting' | 'connected' | 'closed'
const NEXT_MODES: Record<Mode, readonly Mode[]> = {
  waiting: ['connecting', 'closed'],
  connecting: ['connected', 'waiting', 'closed'],
  connected: ['waiting', 'closed'],
  closed: [],
}

const KEEPALIVE_SECONDS = 30
const CLOSE_MS = 2_000
/** Of an oversized message this much is kept, as by our own broker. */
const OVERSIZED_KEPT_BYTES = 4_096

/**
 * Reads from somebody else's broker. Modes: `waiting` until the next attempt, or until the fleet knows its network
 * server; `connecting` until it has subscribed; `connected` until the connection ends, and then `waiting` again, longer
 * each time; `closed` for good, by `close`. Each message goes to ingest like a publish to our own broker and is
 * acknowledged when it is durable.
 */
export class Source {
  readonly counters: SourceCounters = {
    received: 0,
    ignored: { topic: 0, retained: 0, lost: 0 },
    acknowledged: 0,
    reconnects: 0,
    sessionsLost: 0,
  }
  readonly #options: SourceOptions
  #mode: Mode = 'waiting'
  #connection: Connection | undefined
  #timer: NodeJS.Timeout | undefined
  #takesMore = true
  /** Waits for its network server to be in the fleet. */
  #isUnknown = false
  readonly #backoff = new Backoff()
  #opened = 0
  #inFlight = 0
  #awaySinceMs = performance.now()
  #reason = 'it has not connected yet'

  constructor(options: SourceOptions) {
    this.#options = options
    options.budget.listen(() => {
      if (this.#takesMore) this.#connection?.resume()
    })
  }

  get key(): string {
    return this.#options.config.key
  }

  get isConnected(): boolean {
    return this.#mode === 'connected'
  }

  /** Messages handed to ingest that are not durable yet. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Why it is away and for how long; undefined while it is connected. */
  away(nowMs: number): string | undefined {
    if (this.isConnected) return undefined
    const seconds = Math.round((nowMs - this.#awaySinceMs) / 1000)
    return `source "${this.key}" away for ${seconds} s: ${this.#reason}`
  }

  /** Connects; a broker that is not there is tried again until `close`. */
  start(): void {
    const { config } = this.#options
    this.#isUnknown = this.#speaksForNobody()
    if (this.#isUnknown) {
      this.#noteAway(`the fleet has no network server "${config.networkServer}" (fleet:apply adds one)`)
      return
    }
    this.#enter('connecting')
    this.#connection = new Connection(
      { ...config, keepaliveSeconds: KEEPALIVE_SECONDS },
      {
        opened: (granted, isKept) => this.#isOpen(granted, isKept),
        received: (packet, done) => this.#received(packet, done),
        mayRead: () => this.#takesMore && !this.#options.budget.isUsedUp,
        acknowledged: () => {
          this.counters.acknowledged += 1
        },
        closed: (reason) => this.#isClosed(reason),
      },
    )
  }

  /** Takes no further messages; what is held is still acknowledged when it is durable. */
  stopIntake(): void {
    this.#takesMore = false
    clearTimeout(this.#timer)
  }

  /** Ends the connection; its broker keeps what is not acknowledged. */
  async close(): Promise<void> {
    this.stopIntake()
    const connection = this.#connection
    if (this.#mode !== 'closed') this.#enter('closed')
    await connection?.close(CLOSE_MS)
  }

  /** To be called when the fleet may have changed: a network server that it has lost is heard no more, a new one is. */
  checkSpeaker(): void {
    const isUnknown = this.#speaksForNobody()
    if (isUnknown) this.#connection?.abort('its network server is no more in the fleet')
    else if (this.#isUnknown && this.#takesMore) this.start()
  }

  #speaksForNobody(): boolean {
    const { config, registry } = this.#options
    return config.networkServer !== undefined && !registry.logIn(`ns:${config.networkServer}`)
  }

  #enter(mode: Mode): void {
    if (!NEXT_MODES[this.#mode].includes(mode))
      throw new Error(`Source ${this.key} cannot go from ${this.#mode} to ${mode}.`)
    this.#mode = mode
  }

  #isOpen(grantedQos: number, isKept: boolean): void {
    const { config, log } = this.#options
    this.#enter('connected')
    this.#backoff.opened(performance.now())
    this.#reason = ''
    this.#opened += 1
    if (this.#opened > 1) this.#isBack(isKept)
    log.info({ source: this.key, url: config.url, filters: config.filters }, 'source connected')
    if (grantedQos === 0 && this.#opened === 1)
      log.warn({ source: this.key }, 'its broker gives QoS 0 only: what comes while we are away is lost')
  }

  #isBack(isKept: boolean): void {
    this.counters.reconnects += 1
    if (isKept) return
    this.counters.sessionsLost += 1
    this.#options.log.warn(
      { source: this.key },
      'its broker has not kept our session: what it had taken for us meanwhile is lost (docs/lorawan.md says how it keeps it)',
    )
  }

  #isClosed(reason: string): void {
    this.#connection = undefined
    if (this.#mode === 'closed') return
    if (this.isConnected) this.#awaySinceMs = performance.now()
    this.#enter('waiting')
    this.#noteAway(reason)
    if (!this.#takesMore) return
    const waitMs = this.#backoff.nextMs(performance.now(), Math.random())
    this.#timer = setTimeout(() => this.start(), waitMs)
  }

  /** One line for each reason, not one for each attempt. */
  #noteAway(reason: string): void {
    if (this.#reason !== reason) this.#options.log.warn({ source: this.key, reason }, 'source away')
    this.#reason = reason
  }

  #received(packet: IPublishPacket, done: Done): void {
    const { config, registry } = this.#options
    const { topic, retain } = packet
    // Neither taken nor acknowledged: it comes again when we are back, or when its network server is.
    if (!this.#takesMore || this.#speaksForNobody()) {
      this.#notTaken(packet)
      // A look-up may have found that out, of which nobody is told.
      this.checkSpeaker()
      return
    }
    const username = usernameOf(config, topic)
    // It came before, when it was published; without a time of its own it would be stored again as new.
    if (retain || username === undefined) {
      this.#ignore(retain ? 'retained' : 'topic', done)
      return
    }
    this.#take(packet, speakerOf(username, registry), done)
  }

  /** With QoS 0 nobody sends it again. */
  #notTaken({ qos }: IPublishPacket): void {
    if (qos === 0) this.counters.ignored.lost += 1
  }

  #ignore(why: keyof SourceCounters['ignored'], done: Done): void {
    this.counters.ignored[why] += 1
    done()
  }

  #take(packet: IPublishPacket, principal: Principal, done: Done): void {
    const { accept, routeOf, budget, onAcknowledged } = this.#options
    const route = routeOf(principal, packet.topic)
    if (!route) {
      this.#ignore('topic', done)
      return
    }
    const arrival = this.#arrival(packet, principal, route)
    let bytes = heldBytes(packet)
    let isHeld = true
    this.counters.received += 1
    this.#inFlight += 1
    budget.take(bytes)
    accept(arrival, (error) => {
      isHeld = false
      this.#inFlight -= 1
      budget.giveBack(bytes)
      if (error) this.#notTaken(packet)
      else if (packet.qos > 0) onAcknowledged(performance.now() - arrival.arrivedAtMs)
      done(error)
    })
    if (!isHeld) return
    const corrected = heldBytes(packet, arrival.decodedBytes)
    budget.take(corrected - bytes)
    bytes = corrected
  }

  #arrival(packet: IPublishPacket, principal: Principal, route: Route): Arrival {
    const { config, messageBytesMax } = this.#options
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    const isOversized = payload.length > messageBytesMax
    return {
      topic: packet.topic,
      route,
      payload: isOversized ? Buffer.from(payload.subarray(0, OVERSIZED_KEPT_BYTES)) : payload,
      ...(isOversized ? { oversizedBytes: payload.length } : {}),
      qos: packet.qos,
      dup: packet.dup,
      principal,
      clientId: config.clientId,
      isWill: false,
      receivedAt: Date.now(),
      arrivedAtMs: performance.now(),
      decodedBytes: undefined,
    }
  }
}
