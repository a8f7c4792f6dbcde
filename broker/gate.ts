import type { Socket } from 'node:net'
import type { BrokerCounters } from './counters.ts'

export interface GateOptions {
  connectionsMax: number
  unauthenticatedMax: number
  counters: BrokerCounters
}

/** Which connection a socket or a TLS socket upon it is: both have the same peer. */
export function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`
}

/**
 * Bounds the sockets of all listeners. A socket is waiting (no CONNECT yet; the oldest makes room for a new one, so
 * that idle sockets cannot lock hubs out) → checking (its log-in is being checked; beyond the limit log-ins are
 * refused) → logged in. It leaves by closing.
 */
export class ConnectionGate {
  readonly #options: GateOptions
  readonly #open = new Map<string, Socket>()
  /** Oldest first. */
  readonly #waiting = new Map<string, Socket>()
  readonly #checking = new Set<string>()

  constructor(options: GateOptions) {
    this.#options = options
  }

  get connections(): number {
    return this.#open.size
  }

  /** Takes a new socket in, or destroys it when there are too many. */
  admit(socket: Socket): boolean {
    const { connectionsMax, unauthenticatedMax, counters } = this.#options
    // Reset before it was accepted: the peer is unknown and the socket is closing.
    if (socket.remotePort === undefined) {
      socket.destroy()
      return false
    }
    if (this.#open.size >= connectionsMax) {
      counters.connectionsRefused++
      socket.destroy()
      return false
    }
    if (this.#waiting.size >= unauthenticatedMax) this.#dropOldestWaiting()
    const peer = peerOf(socket)
    this.#open.set(peer, socket)
    this.#waiting.set(peer, socket)
    socket.once('close', () => this.#leave(peer, socket))
    return true
  }

  /** CONNECT has come. False when too many log-ins are being checked. */
  startLogIn(peer: string): boolean {
    this.#waiting.delete(peer)
    if (this.#checking.size >= this.#options.unauthenticatedMax) return false
    if (this.#open.has(peer)) this.#checking.add(peer)
    return true
  }

  endLogIn(peer: string): void {
    this.#checking.delete(peer)
  }

  /** Ends all sockets without a CONNECT, at a stop. */
  destroyWaiting(): void {
    for (const socket of this.#waiting.values()) socket.destroy()
  }

  destroyAll(): void {
    for (const socket of this.#open.values()) socket.destroy()
  }

  #dropOldestWaiting(): void {
    const oldest = this.#waiting.entries().next().value
    if (!oldest) return
    const [peer, socket] = oldest
    this.#waiting.delete(peer)
    this.#options.counters.unauthenticatedDropped++
    socket.destroy()
  }

  #leave(peer: string, socket: Socket): void {
    if (this.#open.get(peer) !== socket) return
    this.#open.delete(peer)
    this.#waiting.delete(peer)
    this.#checking.delete(peer)
  }
}
