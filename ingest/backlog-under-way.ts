import type { HeldMessage } from './message.ts'

/** A client that has more of them is draining: nobody waits for it. */
const FEW_PER_CLIENT = 64

/**
 * Messages with old readings that are not durable yet. Live ones pass them on the way to the database; who judges messages in
 * the order of their arrival can tell by this which of them are still to come.
 */
export class BacklogUnderWay {
  readonly #byClient = new Map<string, Set<HeldMessage>>()

  add(message: HeldMessage): void {
    const { username } = message.arrival.principal
    const known = this.#byClient.get(username)
    if (known) known.add(message)
    else this.#byClient.set(username, new Set([message]))
  }

  delete(message: HeldMessage): void {
    const { username } = message.arrival.principal
    const known = this.#byClient.get(username)
    if (known?.delete(message) && known.size === 0) this.#byClient.delete(username)
  }

  /**
   * Whether something of the same clients that arrived before these messages is still under way: to be asked again and again.
   * Undefined where there is nothing.
   */
  behind(messages: readonly HeldMessage[]): (() => boolean) | undefined {
    if (this.#byClient.size === 0) return undefined
    const older = new Set<HeldMessage>()
    for (const { arrival } of messages) {
      const known = this.#byClient.get(arrival.principal.username)
      if (!known || known.size > FEW_PER_CLIENT) continue
      for (const message of known) if (message.arrival.arrivedAtMs < arrival.arrivedAtMs) older.add(message)
    }
    if (older.size === 0) return undefined
    const isUnderWay = (message: HeldMessage) =>
      this.#byClient.get(message.arrival.principal.username)?.has(message) ?? false
    return () => older.values().some(isUnderWay)
  }
}
