import { connect, type Socket } from 'node:net'
import { generate } from 'mqtt-packet'
import { AnswerScanner } from './answer-scanner.ts'
import type { MessageRing } from './message-ring.ts'
import type { Tally } from './mix.ts'
import type { Pace } from './pace.ts'

export interface ConnectionOptions {
  host: string
  port: number
  username: string
  password: string
  keepaliveSeconds: number
  ring: MessageRing
  /** Bytes come in here, for all connections of the process: they are scanned before the next ones come. */
  chunk: Uint8Array
  dueAt: Pace['dueAt']
  /** Told of each acknowledged message: when it was due, when its PUBACK came, and how many items it has. */
  onAcknowledged: (dueAtMs: number, nowMs: number, items: number) => void
  /** All acknowledgements that have come together have been told: there may be room for more messages. */
  onRoom: (connection: Connection, nowMs: number) => void
  /** It has ended by itself; why, as far as is known. */
  onLost: (reason: string) => void
}

const PINGREQ = Buffer.from([0xc0, 0])
const DISCONNECT = Buffer.from([0xe0, 0])

/** Only text for the operator: what they mean is in MQTT 3.1.1, table 3.1. */
const REFUSALS = [
  '',
  'protocol version',
  'client id',
  'server unavailable',
  'user name or password',
  'not authorized',
]

/**
 * An MQTT 3.1.1 client that publishes the messages of its ring with QoS 1, as cheaply as a client can.
 *
 * Modes: opening (until CONNACK) → open → closing (by `close`) or lost (anything else that ends it).
 */
export class Connection {
  readonly index: number
  sent = 0
  acknowledged = 0
  lost = false
  readonly #options: ConnectionOptions
  readonly #scanner: AnswerScanner
  readonly #opened = Promise.withResolvers<void>()
  /** `dueAt` of each message in flight, by slot. */
  readonly #dueAt: Float64Array
  #socket: Socket | undefined
  #closing = false
  #reason = 'the server closed the connection'
  #nowMs = 0

  constructor(index: number, options: ConnectionOptions) {
    this.index = index
    this.#options = options
    this.#dueAt = new Float64Array(options.ring.slots)
    this.#scanner = new AnswerScanner({
      onConnack: (returnCode) => this.#onConnack(returnCode),
      onPuback: (packetId) => this.#onPuback(packetId),
      onUnexpected: (byte) =>
        this.#fail(`the server sent a packet that nobody asked for (0x${byte.toString(16)})`),
    })
  }

  get inFlight(): number {
    return this.sent - this.acknowledged
  }

  /** What it has sent. */
  get tally(): Tally {
    return this.#options.ring.tally
  }

  /** Resolves at CONNACK; rejects with a sentence when the server cannot be reached or refuses. */
  open(): Promise<void> {
    const { host, port, chunk } = this.#options
    const onread = { buffer: chunk, callback: (length: number) => this.#onBytes(length) }
    const socket = connect({ host, port, noDelay: true, onread })
    socket.on('error', (error) => {
      this.#reason = error.message
    })
    socket.on('close', () => this.#onClose())
    socket.write(this.#connectPacket())
    this.#socket = socket
    return this.#opened.promise
  }

  /** Publishes the next `count` messages, whose slots must be free. */
  send(count: number, nowMs: number): void {
    const { ring, dueAt } = this.#options
    for (let message = this.sent; message < this.sent + count; message++) {
      this.#dueAt[message % ring.slots] = dueAt(this.index, message, nowMs)
    }
    this.sent += count
    ring.take(count, (bytes) => this.#socket?.write(bytes))
  }

  ping(): void {
    this.#socket?.write(PINGREQ)
  }

  /** Says goodbye, where the server is listening; resolves when the connection is gone. */
  close(): Promise<void> {
    const socket = this.#socket
    if (!socket || socket.closed) return Promise.resolve()
    this.#closing = true
    return new Promise((resolve) => {
      socket.once('close', () => resolve())
      if (this.inFlight > 0) socket.destroy()
      else socket.end(DISCONNECT, () => socket.destroy())
    })
  }

  #connectPacket(): Buffer {
    const { username, password, keepaliveSeconds } = this.#options
    return generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      clientId: username,
      keepalive: keepaliveSeconds,
      username,
      password: Buffer.from(password),
    })
  }

  #onBytes(length: number): boolean {
    this.#nowMs = performance.now()
    this.#scanner.scan(this.#options.chunk, length)
    this.#options.onRoom(this, this.#nowMs)
    return true
  }

  #onConnack(returnCode: number): void {
    if (returnCode === 0) this.#opened.resolve()
    else this.#fail(`the log-in was refused: ${REFUSALS[returnCode] ?? ''} (return code ${returnCode})`)
  }

  /** In the order of the publishes [MQTT-4.6.0-2]: so the slot that becomes free is always the oldest. */
  #onPuback(packetId: number): void {
    const slot = this.acknowledged % this.#options.ring.slots
    if (packetId !== slot + 1 || this.inFlight === 0) {
      this.#fail(
        `the server acknowledged packet ${packetId}, expected ${this.inFlight === 0 ? 'none' : slot + 1}`,
      )
      return
    }
    this.acknowledged++
    this.#options.onAcknowledged(this.#dueAt[slot] ?? 0, this.#nowMs, this.#options.ring.itemsOf(slot))
  }

  #fail(reason: string): void {
    this.#reason = reason
    this.#socket?.destroy(new Error(reason))
  }

  #onClose(): void {
    if (this.#closing) return
    this.lost = true
    this.#opened.reject(new Error(this.#reason))
    this.#options.onLost(this.#reason)
  }
}
