import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls'
import type { Logger } from 'pino'
import { SettingsError } from '../settings.ts'
import type { BrokerSettings } from './config.ts'
import type { Incoming } from './connection.ts'
import type { BrokerCounters } from './counters.ts'
import { peerOf } from './gate.ts'
import { acceptWebSockets } from './web-socket.ts'

interface Address {
  host: string
  port: number
}

/** Where the broker listens; only the listeners that are on. */
export interface Addresses {
  mqtt: Address
  tls?: Address
  ws?: Address
}

export interface ListenerOptions {
  settings: BrokerSettings
  counters: BrokerCounters
  log: Logger
  /** Takes a new socket in, or destroys it and says false. */
  admit: (socket: Socket) => boolean
  /** Starts MQTT on a stream; the answer tells whether its client has logged in. */
  attach: (incoming: Incoming) => () => boolean
}

interface Listener {
  name: keyof Addresses
  setting: 'MQTT_PORT' | 'MQTT_TLS_PORT' | 'MQTT_WS_PORT'
  port: number
  server: Server
}

/** PUBACKs are small and must not wait for each other; hubs with keepalive off are found gone by TCP's own probes. */
const SOCKET_OPTIONS = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }

/** The servers of the broker: plain TCP, and TLS and WebSocket where they are set. */
export class Listeners {
  readonly #options: ListenerOptions
  readonly #listeners: Listener[]

  /** Reads the TLS files. Throws a `SettingsError` when it cannot. */
  constructor(options: ListenerOptions) {
    this.#options = options
    const { settings } = options
    this.#listeners = [
      { name: 'mqtt', setting: 'MQTT_PORT', port: settings.MQTT_PORT, server: tcpServer(options) },
    ]
    const tls = readTlsFiles(settings)
    if (tls) {
      const server = tlsServer(options, tls)
      this.#listeners.push({ name: 'tls', setting: 'MQTT_TLS_PORT', port: settings.MQTT_TLS_PORT, server })
    }
    if (settings.MQTT_WS_PORT !== undefined) {
      const server = webSocketServer(options)
      this.#listeners.push({ name: 'ws', setting: 'MQTT_WS_PORT', port: settings.MQTT_WS_PORT, server })
    }
  }

  /** Opens all or none. Throws a `SettingsError` when a port cannot be had. */
  async listen(): Promise<Addresses> {
    const addresses: Partial<Addresses> = {}
    try {
      for (const listener of this.#listeners) {
        addresses[listener.name] = await listen(listener, this.#options.settings.MQTT_HOST)
        listener.server.on('error', (error) => this.#options.log.error({ err: error }, 'listener failed'))
      }
    } catch (error) {
      this.close()
      throw error
    }
    return addresses as Addresses
  }

  /** Takes no new connections; those that are open stay. */
  close(): void {
    for (const { server } of this.#listeners) server.close()
  }
}

function listen({ server, port, setting }: Listener, host: string): Promise<Address> {
  const { promise, resolve, reject } = Promise.withResolvers<Address>()
  const fail = (error: NodeJS.ErrnoException) => reject(explain(error, { host, port, setting }))
  server.once('error', fail)
  server.listen({ host, port }, () => {
    server.off('error', fail)
    const address = server.address()
    resolve({ host, port: typeof address === 'object' && address ? address.port : port })
  })
  return promise
}

function explain(
  error: NodeJS.ErrnoException,
  { host, port, setting }: { host: string; port: number; setting: string },
): SettingsError {
  const reasons: Record<string, string> = {
    EADDRINUSE: `${setting}=${port}: the port is taken on ${host}. Stop the program that listens there, or set ${setting} to another port.`,
    EACCES: `${setting}=${port}: no right to listen on this port. Set ${setting} to a port from 1024 up.`,
    EADDRNOTAVAIL: `MQTT_HOST=${host} is not an address of this machine. Set MQTT_HOST to one, or to 0.0.0.0 for all.`,
    ENOTFOUND: `MQTT_HOST=${host} is not a known host. Set MQTT_HOST to an address of this machine.`,
  }
  const reason = reasons[error.code ?? ''] ?? `${setting}=${port}: cannot listen on ${host}: ${error.message}`
  return new SettingsError(reason, { cause: error })
}

function tcpServer({ admit, attach }: ListenerOptions): Server {
  return createServer(SOCKET_OPTIONS, (socket) => {
    if (!admit(socket)) return
    const { remoteAddress } = socket
    attach({ stream: socket, peer: peerOf(socket), remoteAddress, certificateName: undefined })
  })
}

/** TLS begins only for sockets that the gate has taken in: a handshake is what a flood would cost most by. */
function tlsServer(options: ListenerOptions, files: TlsOptions): Server {
  const { settings, counters, log, admit, attach } = options
  const secure = createTlsServer({
    requestCert: files.ca !== undefined,
    rejectUnauthorized: files.ca !== undefined,
    handshakeTimeout: settings.MQTT_CONNECT_TIMEOUT_MS,
  })
  useCertificate(secure, files)
  secure.on('secureConnection', (stream) => {
    const { remoteAddress } = stream
    attach({ stream, peer: peerOf(stream), remoteAddress, certificateName: certificateName(stream) })
  })
  secure.on('tlsClientError', (error, socket) => {
    counters.tlsFailures++
    // Node leaves the socket open when a handshake takes too long.
    socket.destroy()
    log.debug({ err: error }, 'TLS handshake failed')
  })
  return createServer(SOCKET_OPTIONS, (socket) => {
    if (admit(socket)) secure.emit('connection', socket)
  })
}

function useCertificate(server: TlsServer, files: TlsOptions): void {
  try {
    server.setSecureContext(files)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SettingsError(
      `MQTT_TLS_KEY, MQTT_TLS_CERT, MQTT_TLS_CA: expected PEM files that belong together (${reason}).`,
      { cause: error },
    )
  }
}

/** The CN of a certificate that the CA has signed; TLS without a CA asks for none. */
function certificateName(socket: TLSSocket): string | undefined {
  if (!socket.authorized) return undefined
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' ? name : undefined
}

function webSocketServer(options: ListenerOptions): Server {
  const { settings, counters, admit, attach } = options
  const server = createHttpServer({
    ...SOCKET_OPTIONS,
    headersTimeout: settings.MQTT_CONNECT_TIMEOUT_MS,
    requestTimeout: settings.MQTT_CONNECT_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(settings.MQTT_CONNECT_TIMEOUT_MS, 30_000),
  })
  server.on('connection', admit)
  acceptWebSockets(server, { settings, counters, attach })
  return server
}

function readTlsFiles(settings: BrokerSettings): TlsOptions | undefined {
  const { MQTT_TLS_KEY: key, MQTT_TLS_CERT: cert, MQTT_TLS_CA: ca } = settings
  if (key === undefined || cert === undefined) return undefined
  return {
    key: readPem('MQTT_TLS_KEY', key),
    cert: readPem('MQTT_TLS_CERT', cert),
    ...(ca === undefined ? {} : { ca: readPem('MQTT_TLS_CA', ca) }),
  }
}

function readPem(setting: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SettingsError(`${setting}=${path}: expected the path of a readable PEM file (${reason}).`, {
      cause: error,
    })
  }
}
