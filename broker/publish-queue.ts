import type { BrokerCounters } from './counters.ts'
import { Fifo } from './fifo.ts'

/** A message of our own, to hubs or operators. */
export interface OwnMessage {
  topic: string
  payload: Buffer | string
  qos: 0 | 1
  retain: boolean
}

export interface PublishQueueOptions {
  /** Messages that wait, and messages that a subscriber's socket has not taken yet. */
  messagesMax: number
  counters: BrokerCounters
  /** Publishes one message; see `AedesBroker.publishOwn`. */
  publish: (message: OwnMessage, handedOver: () => void, done: (error?: Error) => void) => void
}

interface Waiting {
  message: OwnMessage
  done: (error?: Error) => void
}

/** Publishes our own messages one after the other, and bounds how many are on their way. */
export class PublishQueue {
  readonly #options: PublishQueueOptions
  readonly #waiting = new Fifo<Waiting>()
  #publishing = false
  #onTheirWay = 0
  #closed = false
  #idle: (() => void)[] = []

  constructor(options: PublishQueueOptions) {
    this.#options = options
  }

  /** How many are waiting or not yet taken by all sockets. */
  get size(): number {
    return this.#onTheirWay
  }

  /**
   * Resolves when every connected subscriber's socket has taken the message, or has been dropped for not taking
   * it. Rejects when the queue is full or closed.
   */
  add(message: OwnMessage): Promise<void> {
    const { counters, messagesMax } = this.#options
    if (this.#closed)
      return Promise.reject(new Error(`not published to ${message.topic}: the broker is closed`))
    if (this.#onTheirWay >= messagesMax) {
      counters.ownMessagesRefused++
      return Promise.reject(
        new Error(
          `not published to ${message.topic}: ${messagesMax} messages are on their way; ` +
            'subscribers are too slow, or MQTT_PUBLISH_QUEUE_MAX is too small',
        ),
      )
    }
    this.#onTheirWay++
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, done: (error) => (error ? reject(error) : resolve()) })
      if (!this.#publishing) this.#publishWaiting()
    })
  }

  /** Resolves when no message is on its way. */
  idle(): Promise<void> {
    if (this.#onTheirWay === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Refuses further messages and fails those that wait. */
  close(): void {
    this.#closed = true
    for (let entry = this.#waiting.shift(); entry; entry = this.#waiting.shift()) {
      this.#leave()
      entry.done(new Error(`not published to ${entry.message.topic}: the broker closed`))
    }
  }

  /** A loop, not a recursion: some messages are handed over at once, others after a few promises. */
  #publishWaiting(): void {
    let handedOverAtOnce = true
    while (handedOverAtOnce) {
      const entry = this.#waiting.shift()
      this.#publishing = entry !== undefined
      if (!entry) return
      handedOverAtOnce = false
      let returned = false
      this.#options.publish(
        entry.message,
        () => {
          if (returned) this.#publishWaiting()
          else handedOverAtOnce = true
        },
        (error) => this.#finish(entry, error),
      )
      returned = true
    }
  }

  #finish(entry: Waiting, error?: Error): void {
    this.#leave()
    this.#options.counters.ownMessagesPublished++
    entry.done(error)
  }

  #leave(): void {
    this.#onTheirWay--
    if (this.#onTheirWay > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
