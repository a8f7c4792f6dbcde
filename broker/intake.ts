import type { PublishPacket } from 'aedes'
import type { Logger } from 'pino'
import type { Connection } from './connection.ts'
import type { BrokerCounters } from './counters.ts'
import type { Admission } from './held-bytes.ts'
import type { HeldPublish, Release } from './held-publish.ts'
import type { LogLimit } from './log-limit.ts'
import { RefusalError } from './refusal.ts'
import type { RepeatedPacket } from './repeated-publish.ts'
import { excerpt, isWellFormed } from './strings.ts'
import { publishRoute } from './topics.ts'
import type { Accept, Arrival, Principal, Route } from './types.ts'

export interface Clock {
  /** Wall clock, epoch milliseconds. */
  now(): number
  /** A clock that only goes forward, milliseconds. */
  monotonic(): number
}

export interface IntakeOptions {
  accept: Accept
  /** Told of each PUBACK and PUBREC when it is about to be written, milliseconds after the arrival of its message. */
  onAcknowledged: (afterMs: number) => void
  counters: BrokerCounters
  clock: Clock
  log: Logger
  logLimit: LogLimit
}

/** A publish that has passed the topic rules. */
interface Admitted {
  principal: Principal
  admission: Admission
  route: Route
  /** See `Arrival`. */
  oversizedBytes?: number | undefined
  /** Lets Aedes go on with it, with QoS 0 or 2. */
  release?: Release
}

/**
 * Hands publishes and last wills to `accept` and holds their acknowledgements until they are durable.
 * Modes: taking → stopped, by `stop`; what is held then is still acknowledged.
 */
export class Intake {
  readonly #options: IntakeOptions
  #stopped = false

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopped = true
  }

  /** A PUBLISH out of the parser. `release` answers it if its QoS is 0 or 2, or with an error ends the connection. */
  publish(connection: Connection, packet: PublishPacket, release: Release): void {
    // Asked for every PUBLISH, refused ones too: the scanner counts them.
    const oversizedBytes = connection.scanner.takeOversizedBytes()
    const { principal, admission } = connection
    const route = principal && routeOf(connection, principal, packet.topic)
    if (!principal || !admission || !route) {
      this.#refuse(connection, packet.topic)
      release(new RefusalError('publish refused: not a topic of this client'))
      return
    }
    if (this.#isStopped()) {
      giveBackUntaken(admission, packet)
      return
    }
    if (oversizedBytes !== undefined) this.#options.counters.messagesOversized++
    connection.readAhead.hold()
    this.#take(connection, packet, { principal, admission, route, oversizedBytes, release })
  }

  /** A PUBLISH with QoS 1 to the topic of the last one, which has not been through the parser. */
  publishAgain(connection: Connection, packet: RepeatedPacket): void {
    const { principal, admission, lastRoute } = connection
    if (!principal || !admission || !lastRoute) throw new Error('a repeated PUBLISH without a first one')
    if (this.#isStopped()) giveBackUntaken(admission, packet)
    else this.#take(connection, packet, { principal, admission, route: lastRoute.route })
  }

  /** What comes then is neither taken nor acknowledged: the client sends it again to the next broker. */
  #isStopped(): boolean {
    if (this.#stopped) this.#options.counters.messagesAfterStop++
    return this.#stopped
  }

  #take(
    connection: Connection,
    packet: PublishPacket | RepeatedPacket,
    { principal, admission, route, oversizedBytes, release }: Admitted,
  ): void {
    const frameBytes = packet.length ?? 0
    const arrival = this.#arrival(connection, packet, { principal, route })
    arrival.oversizedBytes = oversizedBytes
    const held: HeldPublish = {
      arrival,
      admission,
      cost: admission.arrive(frameBytes),
      messageId: packet.messageId,
      release,
      isFinished: false,
      error: undefined,
      next: undefined,
      isAnswered: false,
    }
    connection.order.hold(held)
    this.#accept(arrival, (error) => {
      if (!held.isFinished) connection.order.finish(held, error)
    })
    const { decodedBytes, isBacklog } = arrival
    if (!held.isAnswered && decodedBytes !== undefined) {
      held.cost = admission.correct(held.cost, frameBytes, decodedBytes)
    }
    if (isBacklog !== undefined) admission.noteBacklog(isBacklog)
  }

  /** Its turn has come: it is durable, or has failed, as all of its client before it. */
  answer(connection: Connection, held: HeldPublish): void {
    const { clock, onAcknowledged } = this.#options
    const { arrival, messageId } = held
    held.isAnswered = true
    held.admission.giveBack(held.cost)
    if (!this.#mayAnswer(connection, held.error)) return
    if (arrival.qos === 1 && messageId !== undefined) {
      connection.acknowledgements.add(messageId)
    } else {
      connection.readAhead.release()
      held.release?.()
    }
    if (arrival.qos > 0) onAcknowledged(clock.monotonic() - arrival.arrivedAtMs)
  }

  /** A last will: its client has gone, so nothing is acknowledged and nothing can be held back. */
  will(connection: Connection, packet: PublishPacket, release: Release): void {
    const { counters, log } = this.#options
    const { principal, admission } = connection
    const route = principal && publishRoute(principal, packet.topic)
    if (!principal || !admission || !route) {
      release(new RefusalError('last will refused: not a topic of this client'))
      return
    }
    if (this.#isStopped()) {
      release(new RefusalError('last will not taken: the broker is stopping'))
      return
    }
    const cost = admission.holdNow(packet.topic.length + packet.payload.length)
    if (cost === undefined) {
      counters.willsRefused++
      release(new RefusalError('last will not taken: too much waits for its commit'))
      return
    }
    counters.willsAccepted++
    const arrival = this.#arrival(connection, packet, { principal, route })
    arrival.isWill = true
    let isDone = false
    this.#accept(arrival, (error) => {
      if (isDone) return
      isDone = true
      admission.giveBack(cost)
      if (error) {
        counters.messagesFailed++
        log.warn({ err: error, topic: excerpt(packet.topic) }, 'a last will was not taken')
      }
      release(error)
    })
  }

  #arrival(
    connection: Connection,
    packet: PublishPacket | RepeatedPacket,
    known: { principal: Principal; route: Route },
  ): Arrival {
    const { clock, counters } = this.#options
    counters.messagesAccepted++
    // Data is not retained: a hub could fill the memory with it, and nobody may subscribe to it.
    if (packet.retain) counters.retainFlagsIgnored++
    packet.retain = false
    return {
      topic: packet.topic,
      route: known.route,
      payload: typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload,
      qos: packet.qos,
      dup: packet.dup ?? false,
      principal: known.principal,
      clientId: connection.clientId,
      isWill: false,
      receivedAt: clock.now(),
      arrivedAtMs: clock.monotonic(),
      oversizedBytes: undefined,
      decodedBytes: undefined,
      isBacklog: undefined,
    }
  }

  /** An exception of `accept` is a failure of this one message. */
  #accept(arrival: Arrival, done: (error?: Error) => void): void {
    try {
      this.#options.accept(arrival, done)
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** Whether a message is answered now; an error ends its connection, and nothing behind it is answered. */
  #mayAnswer(connection: Connection, error: Error | undefined): boolean {
    const { counters, log, logLimit, clock } = this.#options
    if (error) {
      counters.messagesFailed++
      if (logLimit.allows('failed', clock.monotonic())) {
        log.error(
          { err: error, clientId: connection.clientId },
          'a message was not taken; its client is disconnected',
        )
      }
    }
    // Aedes would report an error per message if it wrote to a closed connection.
    if (connection.client.closed || connection.failed) {
      if (!error) counters.acknowledgementsDropped++
      return false
    }
    if (!error) return true
    connection.failed = true
    const refusal = new RefusalError('a message was not taken', { cause: error })
    // Not at once: the acknowledgements before it are written at the end of this turn.
    setImmediate(() => connection.stream.destroy(refusal))
    return false
  }

  #refuse(connection: Connection, topic: string): void {
    const { counters, clock, log, logLimit } = this.#options
    counters.publishesRefused++
    if (!isWellFormed(topic)) counters.badStrings++
    const username = connection.principal?.username
    if (logLimit.allows(`publish ${username} ${connection.clientId}`, clock.monotonic())) {
      log.warn(
        { username, clientId: connection.clientId, topic: excerpt(topic) },
        'publish refused: not a topic of this client; it is disconnected',
      )
    }
  }
}

function routeOf(connection: Connection, principal: Principal, topic: string): Route | undefined {
  if (connection.lastRoute?.topic === topic) return connection.lastRoute.route
  const route = publishRoute(principal, topic)
  if (route) {
    connection.lastRoute = { topic, route }
    connection.repeated.remember(topic)
  }
  return route
}

function giveBackUntaken(admission: Admission, { length = 0 }: { length?: number }): void {
  admission.giveBack(admission.arrive(length))
}
