import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes'

type Done = (error?: Error) => void

interface Emitter {
  emit(packet: { topic: string }, done?: Done): unknown
}

const SYSTEM_PREFIX = '$SYS/'

/**
 * Aedes 1.2.0 with two changes:
 * - a publish or will of a client ends at `authorizePublish`, where it is handed to ingest. Nobody may subscribe to
 *   data topics, so matching them against subscribers and retained messages would be work for nothing;
 * - it tells when one of our own messages has reached its subscribers' queues. Aedes numbers messages when
 *   `publish` is called and drops, per subscriber, those that arrive below the last number (lib/client.js,
 *   `dedupe`), so the next one may be published only then.
 */
export class AedesBroker extends Aedes {
  #onHandedOver: Done | undefined

  constructor(options: AedesOptions) {
    super(options)
    // `mq` is not in the type definitions of Aedes.
    const emitter = (this as unknown as { mq: Emitter }).mq
    const emit = emitter.emit.bind(emitter)
    emitter.emit = (packet, done) => {
      const result = emit(packet, done)
      if (!packet.topic.startsWith(SYSTEM_PREFIX)) this.#handedOver()
      return result
    }
  }

  /** Aedes calls this with the client for everything that came from one (lib/handlers/publish.js, lib/client.js). */
  override publish(packet: PublishPacket, clientOrDone: Client | null | Done, done?: Done): void {
    if (typeof clientOrDone === 'function') super.publish(packet, clientOrDone)
    // Not at once: a QoS 0 publish comes from within the parser, which must not be entered again.
    else if (done) queueMicrotask(done)
  }

  /**
   * Publishes a message of ours. `handedOver` is called when the next one may be published; `done` when the
   * sockets of all subscribers have taken it, or were dropped. One at a time.
   */
  publishOwn(packet: PublishPacket, handedOver: () => void, done: Done): void {
    this.#onHandedOver = handedOver
    super.publish(packet, (error) => {
      // An error before it was emitted must not stop the queue.
      if (error) this.#handedOver()
      done(error)
    })
  }

  #handedOver(): void {
    const handedOver = this.#onHandedOver
    this.#onHandedOver = undefined
    handedOver?.()
  }
}
