import type { Socket } from 'node:net'
import { addressKey } from './address.ts'
import type { ConnectionRefusal } from './counters.ts'
import { LeakyBuckets } from './leaky-buckets.ts'

export interface GateOptions {
  connectionsMax: number
  perAddressMax: number
  unauthenticatedMax: number
  connectsPerSecond: number
  connectsPerAddressPerSecond: number
  /** A clock that only goes forward, milliseconds. */
  now: () => number
  /** A new socket was not taken in; `address` is the key of its address. */
  onRefused: (refusal: ConnectionRefusal, address: string) => void
  /** A socket without a CONNECT made room for a new one. */
  onDropped: (address: string) => void
}

interface Address {
  readonly key: string
  open: number
  /** Oldest first. */
  readonly waiting: Set<Entry>
  checking: number
}

interface Entry {
  readonly socket: Socket
  readonly address: Address
}

/** So many times the connects of a second may come at once: after a power cut a whole site comes back together. */
const BURST_SECONDS = 10
const ADDRESSES_MAX = 100_000
/** Of the sockets and log-ins that have not logged in, one address may have this part. */
const ADDRESS_PART = 0.5

/** Which connection a socket or a TLS socket upon it is: both have the same peer. */
export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`
}

/**
 * Bounds the sockets of all listeners, before anything is done for them. A socket is waiting (no CONNECT yet; the
 * oldest makes room for a new one, so that idle sockets cannot lock hubs out) → checking (its log-in is being checked;
 * beyond the limit log-ins are refused) → logged in. It leaves by closing.
 *
 * Too many connects are refused, not made to wait: in a line a flood would be ahead of the hubs behind it, and each
 * socket in it would hold a descriptor. A refused one costs an accept, and every MQTT client tries again.
 */
export class ConnectionGate {
  readonly #options: GateOptions
  readonly #open = new Map<string, Entry>()
  readonly #addresses = new Map<string, Address>()
  /** Oldest first. */
  readonly #waiting = new Set<Entry>()
  readonly #checking = new Set<Entry>()
  readonly #connects: LeakyBuckets
  readonly #connectsByAddress: LeakyBuckets

  constructor(options: GateOptions) {
    this.#options = options
    this.#connects = connectsPerSecond(options.connectsPerSecond, 1)
    this.#connectsByAddress = connectsPerSecond(options.connectsPerAddressPerSecond, ADDRESSES_MAX)
  }

  get connections(): number {
    return this.#open.size
  }

  /** Sockets without a CONNECT, and log-ins being checked. */
  get unauthenticated(): number {
    return this.#waiting.size + this.#checking.size
  }

  /** Takes a new socket in, or ends it and says false. */
  admit(socket: Socket): boolean {
    // Reset before it was accepted: the peer is unknown and the socket is closing.
    if (socket.remotePort === undefined) {
      socket.destroy()
      return false
    }
    const key = addressKey(socket.remoteAddress)
    const refusal = this.#refusalOf(key)
    if (refusal) {
      this.#options.onRefused(refusal, key)
      // With a reset no state of it stays, neither here nor in the kernel.
      socket.resetAndDestroy()
      return false
    }
    const address = this.#addresses.get(key) ?? { key, open: 0, waiting: new Set<Entry>(), checking: 0 }
    this.#enter({ socket, address })
    return true
  }

  /** CONNECT has come. False when too many log-ins are being checked, in all or of its address. */
  startLogIn(peer: string): boolean {
    const entry = this.#open.get(peer)
    if (!entry) return true
    const { unauthenticatedMax } = this.#options
    this.#endWait(entry)
    if (this.#checking.size >= unauthenticatedMax) return false
    if (entry.address.checking >= Math.ceil(unauthenticatedMax * ADDRESS_PART)) return false
    this.#checking.add(entry)
    entry.address.checking++
    return true
  }

  endLogIn(peer: string): void {
    const entry = this.#open.get(peer)
    if (entry) this.#endCheck(entry)
  }

  /** Ends all sockets without a CONNECT, at a stop. */
  destroyWaiting(): void {
    for (const { socket } of this.#waiting) socket.destroy()
  }

  destroyAll(): void {
    for (const { socket } of this.#open.values()) socket.destroy()
  }

  #refusalOf(address: string): ConnectionRefusal | undefined {
    const { connectionsMax, perAddressMax, now } = this.#options
    if (this.#open.size >= connectionsMax) return 'connections'
    if ((this.#addresses.get(address)?.open ?? 0) >= perAddressMax) return 'connections_of_address'
    // The address first, so that one that floods does not use up what all may connect.
    if (!this.#connectsByAddress.pour(address, now())) return 'connects_of_address'
    if (!this.#connects.pour('all', now())) return 'connects'
    return undefined
  }

  #enter(entry: Entry): void {
    const { unauthenticatedMax } = this.#options
    const { socket, address } = entry
    if (address.waiting.size >= Math.ceil(unauthenticatedMax * ADDRESS_PART)) this.#drop(address.waiting)
    if (this.#waiting.size >= unauthenticatedMax) this.#drop(this.#waiting)
    const peer = peerOf(socket)
    this.#open.set(peer, entry)
    this.#addresses.set(address.key, address)
    this.#waiting.add(entry)
    address.waiting.add(entry)
    address.open++
    socket.once('close', () => this.#leave(peer, entry))
  }

  #drop(waiting: ReadonlySet<Entry>): void {
    const [oldest] = waiting
    if (!oldest) return
    this.#endWait(oldest)
    this.#options.onDropped(oldest.address.key)
    oldest.socket.destroy()
  }

  #endWait(entry: Entry): void {
    this.#waiting.delete(entry)
    entry.address.waiting.delete(entry)
  }

  #endCheck(entry: Entry): void {
    if (this.#checking.delete(entry)) entry.address.checking--
  }

  #leave(peer: string, entry: Entry): void {
    const { address } = entry
    this.#endWait(entry)
    this.#endCheck(entry)
    address.open--
    if (address.open === 0) this.#addresses.delete(address.key)
    if (this.#open.get(peer) === entry) this.#open.delete(peer)
  }
}

function connectsPerSecond(count: number, keysMax: number): LeakyBuckets {
  return new LeakyBuckets({ capacity: count * BURST_SECONDS, leakPerSecond: count, keysMax })
}
