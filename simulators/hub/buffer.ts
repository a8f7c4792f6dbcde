import type { Message } from './message.ts'

/**
 * What a hub keeps until it is acknowledged, in the order in which it is to be sent. The first ones, at most
 * `inFlightMax`, are in flight on the present connection; when it is lost, sending begins again with the oldest. When
 * the buffer is full it drops the oldest message that is not in flight, as real hubs do.
 */
export class MessageBuffer {
  readonly #messagesMax: number
  readonly #inFlightMax: number
  /** Oldest first; the first `#inFlight` are in flight. */
  readonly #messages: Message[] = []
  #inFlight = 0

  constructor(options: { messagesMax: number; inFlightMax: number }) {
    const { messagesMax, inFlightMax } = options
    if (inFlightMax < 1 || messagesMax <= inFlightMax) {
      throw new RangeError(
        `A buffer of ${messagesMax} messages with ${inFlightMax} in flight: expected at least 1 in flight, and more in the buffer.`,
      )
    }
    this.#messagesMax = messagesMax
    this.#inFlightMax = inFlightMax
  }

  get size(): number {
    return this.#messages.length
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Adds a message at the end; returns the one that was dropped to make room for it. */
  push(message: Message): Message | undefined {
    this.#messages.push(message)
    if (this.#messages.length <= this.#messagesMax) return undefined
    const [dropped] = this.#messages.splice(this.#inFlight, 1)
    return dropped
  }

  /** The next message to send, which is then in flight; undefined when the window is full or nothing waits. */
  next(): Message | undefined {
    if (this.#inFlight >= this.#inFlightMax) return undefined
    const message = this.#messages[this.#inFlight]
    if (message) this.#inFlight += 1
    return message
  }

  /** False for a message that is not in flight: its connection is gone, or it was acknowledged before. */
  acknowledge(message: Message): boolean {
    const index = this.#messages.indexOf(message)
    if (index < 0 || index >= this.#inFlight) return false
    this.#messages.splice(index, 1)
    this.#inFlight -= 1
    return true
  }

  /** Everything in flight has to be sent again; returns how many messages that is. */
  connectionLost(): number {
    const lost = this.#inFlight
    this.#inFlight = 0
    return lost
  }

  /** Empties the buffer of a hub without a connection, as a reboot without flash does. */
  clear(): Message[] {
    this.#inFlight = 0
    return this.#messages.splice(0)
  }
}
