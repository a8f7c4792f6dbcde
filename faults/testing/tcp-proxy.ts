import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type Direction, type DirectionFaults, NO_FAULTS, openDirection } from './tcp-proxy-direction.ts'

export type { DirectionFaults } from './tcp-proxy-direction.ts'

/** What happens to new connections: passed on, refused (nothing listens), or accepted and left hanging. */
export type Accepting = 'pass' | 'refuse' | 'hang'

export type Side = 'client' | 'target'

export interface ProxyCounts {
  /** Connections accepted, passed on or left hanging. */
  accepted: number
  /** Of these, left hanging. */
  hung: number
  /** Of these, open now. */
  open: number
  /** Connections ended by a reset of ours: `reset`, or the end of a limit. */
  reset: number
  /** Bytes delivered. */
  bytesToTarget: number
  bytesToClient: number
}

interface Link {
  client: Socket
  target: Socket | undefined
  toTarget: Direction | undefined
  toClient: Direction | undefined
}

/** Starts a proxy on a free port of 127.0.0.1 in front of a TCP server. */
export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const proxy = new TcpProxy(target)
  await proxy.start()
  return proxy
}

/** Starts a proxy in front of the server of a URL, for example `mqtt://` or `postgres://`; `url` leads through it. */
export async function startUrlProxy(url: string): Promise<{ proxy: TcpProxy; url: string }> {
  const through = new URL(url)
  const proxy = await startTcpProxy({ host: through.hostname, port: Number(through.port) })
  through.hostname = '127.0.0.1'
  through.port = String(proxy.port)
  return { proxy, url: through.href }
}

/**
 * A TCP proxy that makes network faults, for tests: in front of the service or between it and PostgreSQL. Everything
 * can be switched while connections live, and switched back: what was held is then delivered, in order.
 */
export class TcpProxy {
  readonly counts: ProxyCounts = {
    accepted: 0,
    hung: 0,
    open: 0,
    reset: 0,
    bytesToTarget: 0,
    bytesToClient: 0,
  }
  #target: { host: string; port: number }
  readonly #links = new Set<Link>()
  #server: Server | undefined
  #port = 0
  #accepting: Accepting = 'pass'
  #faults: { toTarget: DirectionFaults; toClient: DirectionFaults } = {
    toTarget: NO_FAULTS,
    toClient: NO_FAULTS,
  }

  /** By `startTcpProxy`. */
  constructor(target: { host: string; port: number }) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  /** Connections through it. */
  get open(): number {
    return this.#links.size
  }

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
    this.#server = server
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
  }

  /** For new connections; those that are open stay as they are. */
  async accept(accepting: Accepting): Promise<void> {
    this.#accepting = accepting
    if (accepting === 'refuse') this.#stopListening()
    else if (!this.#server) await this.start()
  }

  /** New connections lead to another server from now on; those that are open stay as they are. */
  leadTo(target: { host: string; port: number }): void {
    this.#target = target
  }

  /**
   * The faults of each direction from now on, for open and new connections; a direction that is not named is healed.
   * Limits count from now on for open connections.
   */
  setFaults(faults: { toTarget?: DirectionFaults; toClient?: DirectionFaults }): void {
    const { toTarget = NO_FAULTS, toClient = NO_FAULTS } = faults
    this.#faults = { toTarget, toClient }
    for (const link of this.#links) {
      link.toTarget?.setFaults(toTarget)
      link.toClient?.setFaults(toClient)
    }
  }

  /** Resets all open connections (RST to both sides) and says how many. */
  reset(): number {
    const links = [...this.#links]
    for (const link of links) this.#reset(link)
    return links.length
  }

  /** Sends a FIN to one side of all open connections; the other direction goes on. */
  halfClose(side: Side): void {
    for (const { client, target } of this.#links) (side === 'client' ? client : target)?.end()
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#stopListening()
    for (const link of this.#links) this.#end(link)
  }

  #stopListening(): void {
    this.#server?.close()
    this.#server = undefined
  }

  #accept(client: Socket): void {
    const { counts } = this
    const link: Link = { client, target: undefined, toTarget: undefined, toClient: undefined }
    this.#links.add(link)
    counts.accepted++
    counts.open++
    if (this.#accepting === 'hang') counts.hung++
    else this.#connect(link)
    client.on('error', () => this.#reset(link, { isOurs: false }))
    client.once('close', () => this.#end(link))
  }

  #connect(link: Link): void {
    const { client } = link
    const target = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    link.target = target
    target.on('error', () => this.#reset(link, { isOurs: false }))
    target.once('close', () => this.#end(link))
    const onLimit = () => this.#reset(link)
    link.toTarget = openDirection({
      from: client,
      to: target,
      faults: this.#faults.toTarget,
      onLimit,
      onDelivered: (bytes) => {
        this.counts.bytesToTarget += bytes
      },
    })
    link.toClient = openDirection({
      from: target,
      to: client,
      faults: this.#faults.toClient,
      onLimit,
      onDelivered: (bytes) => {
        this.counts.bytesToClient += bytes
      },
    })
  }

  /** An error of one side is passed on as a reset to the other. */
  #reset(link: Link, { isOurs } = { isOurs: true }): void {
    if (!this.#links.has(link)) return
    if (isOurs) this.counts.reset++
    this.#forget(link)
    for (const socket of [link.client, link.target]) if (socket && !socket.destroyed) socket.resetAndDestroy()
  }

  #end(link: Link): void {
    this.#forget(link)
    link.client.destroy()
    link.target?.destroy()
  }

  #forget(link: Link): void {
    if (!this.#links.delete(link)) return
    this.counts.open--
    link.toTarget?.stop()
    link.toClient?.stop()
  }
}
