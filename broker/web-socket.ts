import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws'
import type { BrokerSettings } from './config.ts'
import type { Incoming } from './connection.ts'
import type { BrokerCounters } from './counters.ts'
import { peerOf } from './gate.ts'

const PATH = '/mqtt'
/** `mqtt` [MQTT-6.0.0-3]; clients of MQTT 3.1 ask for `mqttv3.1`. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1']
/** The largest frame around a payload: fixed header, topic and packet id. */
const FRAME_OVERHEAD_BYTES = 5 + 2 + 65_535 + 2
/** RFC 6455, 7.4.1: the kind of data cannot be accepted. */
const UNSUPPORTED_DATA = 1003

export interface WebSocketOptions {
  settings: BrokerSettings
  counters: BrokerCounters
  /** Starts MQTT on a stream; the answer tells whether its client has logged in. */
  attach: (incoming: Incoming) => () => boolean
}

/** Makes an HTTP server accept MQTT over WebSocket; everything else is refused and counted. */
export function acceptWebSockets(server: Server, options: WebSocketOptions): void {
  const { settings, counters } = options
  const sockets = new WebSocketServer({
    noServer: true,
    // The library holds a whole WebSocket message in memory before it hands it on.
    maxPayload: settings.MQTT_FRAME_BYTES_MAX + FRAME_OVERHEAD_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
  })
  sockets.on('wsClientError', () => counters.webSocketsRefused++)
  server.on('request', (_request, response) => {
    counters.webSocketsRefused++
    response
      .writeHead(426, { connection: 'close' })
      .end('MQTT over WebSocket, path /mqtt, subprotocol mqtt\n')
  })
  server.on('upgrade', (request, socket, head) => {
    const refusal = refusalOf(request)
    if (refusal) {
      counters.webSocketsRefused++
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => attachWebSocket(webSocket, request, options))
  })
}

function refusalOf(request: IncomingMessage): string | undefined {
  if (request.url?.split('?')[0] !== PATH) return '404 Not Found'
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  return offered.some((name) => SUBPROTOCOLS.includes(name)) ? undefined : '400 Bad Request'
}

function attachWebSocket(webSocket: WebSocket, request: IncomingMessage, options: WebSocketOptions): void {
  webSocket.on('message', (_data, isBinary) => {
    // [MQTT-6.0.0-1]
    if (!isBinary) webSocket.close(UNSUPPORTED_DATA)
  })
  const stream = createWebSocketStream(webSocket)
  const { socket } = request
  const { remoteAddress } = socket
  const isLoggedIn = options.attach({
    stream,
    peer: peerOf(socket),
    remoteAddress,
    certificateName: undefined,
  })
  limitBeforeLogIn(socket, isLoggedIn, options)
}

/** Before log-in the library must not gather a message of the size that only logged-in clients may send. */
function limitBeforeLogIn(socket: Socket, isLoggedIn: () => boolean, options: WebSocketOptions): void {
  let bytesLeft = options.settings.MQTT_MESSAGE_BYTES_MAX + FRAME_OVERHEAD_BYTES
  const count = (chunk: Buffer) => {
    bytesLeft -= chunk.length
    if (isLoggedIn()) socket.off('data', count)
    else if (bytesLeft < 0 && !socket.destroyed) {
      options.counters.frames.frame_before_log_in++
      socket.destroy()
    }
  }
  socket.on('data', count)
}
