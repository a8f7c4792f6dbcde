import type { AuthenticateError, Client, ConnectPacket, PublishPacket, Subscription } from 'aedes'
import { addressKey } from './address.ts'
import { AedesBroker } from './aedes-broker.ts'
import type { Connection } from './connection.ts'
import type { LogInRefusal } from './counters.ts'
import type { HookParts } from './hook-parts.ts'
import { RETURN_CODES } from './log-in.ts'
import { logIn } from './log-in-hook.ts'
import { RefusalError } from './refusal.ts'
import { SessionStore } from './session-store.ts'
import { excerpt, isWellFormed } from './strings.ts'
import { maySubscribe } from './topics.ts'

/**
 * Messages that Aedes may have on their way at once, beside ours: its own `$SYS` ones, which are done at once. When
 * the limit is reached every further message waits, without a bound, so it must never be.
 */
const SYSTEM_MESSAGES_MAX = 10_000

/** Creates Aedes with our rules at its hooks. It takes connections by `handle`, once `listen` has resolved. */
export function createAedes(parts: HookParts): AedesBroker {
  const { settings, counters, connections, intake } = parts
  const store = new SessionStore({
    sessionsMax: settings.MQTT_SESSIONS_MAX,
    queueMax: settings.MQTT_SESSION_QUEUE_MAX,
    mayKeep: (session, filter) => connections.bySession(session)?.filters.has(filter) ?? false,
    onSessionForgotten: () => counters.sessionsForgotten++,
    onMessageDropped: () => counters.sessionMessagesDropped++,
  })
  const aedes = new AedesBroker({
    persistence: store,
    concurrency: settings.MQTT_PUBLISH_QUEUE_MAX + SYSTEM_MESSAGES_MAX,
    connectTimeout: settings.MQTT_CONNECT_TIMEOUT_MS,
    drainTimeout: settings.MQTT_DRAIN_TIMEOUT_MS,
    maxInflightInbound: settings.MQTT_QOS2_IN_FLIGHT_MAX,
    preConnect: (client, packet, callback) => {
      const connection = connections.get(client)
      if (!connection) return callback(new RefusalError('unknown connection'), false)
      takeConnect(connection, packet)
      connection.crowdedOut = !parts.gate.startLogIn(connection.peer)
      callback(null, true)
    },
    authenticate: (client, _username, _password, callback) => {
      const connection = connections.get(client)
      if (!connection) return callback(new RefusalError('unknown connection') as AuthenticateError, false)
      logIn(parts, connection, callback).catch((error: unknown) => {
        parts.log.error({ err: error }, 'a log-in failed')
        connection.stream.destroy()
      })
    },
    authorizePublish: (client, packet, callback) => {
      const connection = client ? connections.get(client) : undefined
      if (!connection) return callback(new RefusalError('unknown connection'))
      // A last will is a part of CONNECT and has no command of its own.
      contain(parts, callback, () => {
        if (isWill(packet)) intake.will(connection, packet, callback)
        else intake.publish(connection, packet, callback)
      })
    },
    authorizeSubscribe: (client, subscription, callback) => {
      contain(parts, callback, () => callback(null, grant(parts, connections.get(client), subscription)))
    },
  })
  countEvents(aedes, parts)
  return aedes
}

/** What we throw on a packet of a client would end the process: it ends the connection instead. */
export function contain(
  { log, logLimit, clock }: Pick<HookParts, 'log' | 'logLimit' | 'clock'>,
  callback: (error: Error) => void,
  answer: () => void,
): void {
  try {
    answer()
  } catch (error) {
    if (logLimit.allows('defect', clock.monotonic())) {
      log.error({ err: error }, 'a defect: the connection that met it is ended')
    }
    callback(new RefusalError('a defect', { cause: error }))
  }
}

/** A version that no client has: Aedes answers it with return code 1. */
const REFUSED_VERSION = 0x84

/** The parser notes the bridge bit of the protocol level, which is not in its type definitions. */
type ParsedConnect = Omit<ConnectPacket, 'protocolVersion'> & {
  protocolVersion?: number
  bridgeMode?: boolean
}

function takeConnect(connection: Connection, packet: ParsedConnect): void {
  connection.connect = packet as ConnectPacket
  // Ours is in the place of Aedes' own timer: see `Keepalive`.
  connection.keepaliveSeconds = packet.keepalive ?? 0
  packet.keepalive = 0
  // A bridge wants its messages not sent back and their retain flags kept (level 0x84): that is not what it would get.
  if (packet.bridgeMode) packet.protocolVersion = REFUSED_VERSION
}

function isWill(packet: Partial<PublishPacket>): boolean {
  return packet.cmd === undefined
}

/** The subscription itself, or null, which Aedes answers with 0x80. */
function grant(
  parts: HookParts,
  connection: Connection | undefined,
  subscription: Subscription,
): Subscription | null {
  const { counters, settings, clock, log, logLimit } = parts
  const { topic } = subscription
  const principal = connection?.principal
  if (connection && principal && maySubscribe(principal, topic)) {
    const known = connection.filters.has(topic) || connection.filters.size < settings.MQTT_SUBSCRIPTIONS_MAX
    if (known) {
      connection.filters.add(topic)
      return subscription
    }
  }
  counters.subscribesRefused++
  if (!isWellFormed(topic)) counters.badStrings++
  const { username } = principal ?? {}
  if (logLimit.allows(`subscribe ${username} ${connection?.clientId}`, clock.monotonic())) {
    log.warn({ username, clientId: connection?.clientId, filter: excerpt(topic) }, 'subscribe refused')
  }
  return null
}

function countEvents(aedes: AedesBroker, parts: HookParts): void {
  const { counters, log } = parts
  aedes.on('connackSent', ({ returnCode }) => {
    const refusal = Object.entries(RETURN_CODES).find(([, code]) => code === returnCode)?.[0]
    if (refusal) counters.logInsRefused[refusal as LogInRefusal]++
  })
  aedes.on('unsubscribe', (filters, client) => {
    const connection = parts.connections.get(client)
    for (const filter of filters) connection?.filters.delete(filter)
  })
  aedes.on('clientError', (client, error) => countError(parts, client, error))
  aedes.on('connectionError', (client, error) => countError(parts, client, error))
  // Not in the type definitions: what went wrong inside Aedes, of no single client.
  aedes.addListener('error', (error: Error) => log.error({ err: error }, 'broker error'))
}

/** What Aedes reports when it ends a connection; refusals have been counted where they were decided. */
function countError(parts: HookParts, client: Client, error: Error & { errorCode?: number }): void {
  const { counters, log, logLimit, clock } = parts
  const connection = parts.connections.get(client)
  if (!connection || connection.errorCounted) return
  connection.errorCounted = true
  if (error instanceof RefusalError) return
  if (error.errorCode !== undefined) {
    logProtocolRefusal(parts, connection, error)
    return
  }
  const who = { username: connection.principal?.username, clientId: connection.clientId }
  if (error.message === 'drain timeout') {
    counters.frozenClientsDropped++
    if (logLimit.allows(`frozen ${client.id}`, clock.monotonic())) {
      log.warn(who, 'a client that takes no data was dropped')
    }
    return
  }
  if (error.message.startsWith('maxInflightInbound')) {
    counters.qos2InFlightExceeded++
    if (logLimit.allows(`qos2 ${client.id}`, clock.monotonic())) {
      log.warn(who, 'connection ended: more than MQTT_QOS2_IN_FLIGHT_MAX messages without PUBREL')
    }
    return
  }
  counters.connectionErrors++
  log.debug({ err: error, ...who }, 'connection ended by an error')
}

/** Aedes has answered the CONNECT by itself: a protocol version or client id that it does not take. */
function logProtocolRefusal(parts: HookParts, { remoteAddress, connect }: Connection, error: Error): void {
  const { log, logLimit, clock } = parts
  if (!logLimit.allows(`protocol ${addressKey(remoteAddress)}`, clock.monotonic())) return
  log.warn({ remoteAddress, clientId: excerpt(connect?.clientId ?? '') }, `log-in refused: ${error.message}`)
}
