export interface KeepaliveOptions {
  /** What the client announced, in seconds; 0 = none. */
  keepaliveSeconds: number
  /** The client is not read at present: its silence is ours. */
  isWaiting: () => boolean
  /** A clock that only goes forward, milliseconds. */
  now: () => number
  onTimeout: () => void
}

/** [MQTT-3.1.2-24] */
const KEEPALIVE_FACTOR = 1.5

/**
 * Finds clients that have gone silent for one and a half times their keepalive. In the place of Aedes' own timer,
 * because that one
 * - cuts off clients that are not read, whose PINGREQ has come and lies unread; here the time counts from when they
 *   are read again;
 * - counts whole packets only, so that a client on a slow line would be cut off in the middle of a long message, again
 *   and again; here any byte is a sign of life;
 * - cuts off all whose time ran out while the process stood still; here what has come meanwhile is read first.
 */
export class Keepalive {
  readonly #options: KeepaliveOptions
  readonly #limitMs: number
  #heardAtMs: number
  #timer: NodeJS.Timeout | undefined
  #lastLook: NodeJS.Immediate | undefined

  constructor(options: KeepaliveOptions) {
    this.#options = options
    this.#limitMs = options.keepaliveSeconds * KEEPALIVE_FACTOR * 1000
    this.#heardAtMs = options.now()
    if (this.#limitMs > 0) this.#waitFor(this.#limitMs)
  }

  /** Bytes have come from the client. */
  heard(): void {
    this.#heardAtMs = this.#options.now()
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#lastLook)
  }

  get #silentMs(): number {
    return this.#options.now() - this.#heardAtMs
  }

  #waitFor(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.ceil(delayMs))
  }

  #look(): void {
    const leftMs = this.#limitMs - this.#silentMs
    if (this.#options.isWaiting()) this.#waitFor(this.#limitMs)
    else if (leftMs > 0) this.#waitFor(leftMs)
    // Timers come before sockets in a turn of the event loop.
    else this.#lastLook = setImmediate(() => this.#lookAgain())
  }

  #lookAgain(): void {
    if (this.#silentMs < this.#limitMs) this.#look()
    else this.#options.onTimeout()
  }
}
