import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AuthenticateError, Client, PublishPacket, Subscription } from 'aedes'
import type { Logger } from 'pino'
import { AedesBroker } from './aedes-broker.ts'
import type { BrokerSettings } from './config.ts'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import type { BrokerCounters, LogInRefusal } from './counters.ts'
import type { ConnectionGate } from './gate.ts'
import type { Clock, Intake } from './intake.ts'
import { checkLogIn, type LogInOutcome, RETURN_CODES } from './log-in.ts'
import type { LogLimit } from './log-limit.ts'
import { RefusalError } from './refusal.ts'
import { SessionStore } from './session-store.ts'
import { excerpt, isWellFormed } from './strings.ts'
import { maySubscribe } from './topics.ts'
import type { Authenticate, Principal } from './types.ts'

/** What the hooks work with. */
export interface HookParts {
  settings: BrokerSettings
  counters: BrokerCounters
  connections: Connections
  gate: ConnectionGate
  intake: Intake
  authenticate: Authenticate
  clock: Clock
  log: Logger
  logLimit: LogLimit
}

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
      connection.connect = packet
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
      if (isWill(packet)) intake.will(connection, packet, callback)
      else intake.publish(connection, packet, callback)
    },
    authorizeSubscribe: (client, subscription, callback) =>
      callback(null, grant(parts, connections.get(client), subscription)),
  })
  countEvents(aedes, parts)
  return aedes
}

function isWill(packet: Partial<PublishPacket>): boolean {
  return packet.cmd === undefined
}

type LogInCallback = (error: AuthenticateError | null, successful: boolean | null) => void

async function logIn(parts: HookParts, connection: Connection, callback: LogInCallback): Promise<void> {
  const { settings, authenticate, counters, log, gate } = parts
  const outcome = await checkLogIn(connection, {
    authenticate,
    timeout_ms: settings.MQTT_CONNECT_TIMEOUT_MS,
    counters,
    log,
  })
  // Aedes has made one up by now if the client sent none.
  connection.clientId = connection.client.id
  if (outcome.ok && !connection.client.closed) await claimSession(parts, connection, outcome.principal)
  gate.endLogIn(connection.peer)
  // The client did not wait; Aedes ignores the answer too.
  if (connection.client.closed) return
  if (!outcome.ok) return refuseLogIn(parts, connection, { outcome, callback })
  counters.logInsAccepted++
  connection.scanner.logIn()
  callback(null, true)
}

/**
 * A session belongs to username and client id together: Aedes knows sessions by client id alone, so another user
 * could take one over by its id.
 */
function sessionOf(connection: Connection, principal: Principal): string {
  return `${principal.username}|${connection.clientId}`
}

/**
 * A second connection of a session ends the first [MQTT-3.1.4-2]. It waits until Aedes has forgotten the first: a
 * connection that is just closing would otherwise take the new one off Aedes' list when it is done.
 */
async function claimSession(parts: HookParts, connection: Connection, principal: Principal): Promise<void> {
  const { connections, counters } = parts
  // Before it waits: the connection that it ends is not the last one of its user.
  connections.logIn(connection, principal)
  const session = sessionOf(connection, principal)
  for (let previous = connections.bySession(session); previous; previous = connections.bySession(session)) {
    if (!previous.client.closed) counters.takeovers++
    previous.client.close()
    await previous.gone
    // Whatever keeps a connection on the list must not keep the event loop from everybody else.
    await nextTurn()
  }
  // At once after the last look, or two that wait for the same one would both get the session.
  if (connection.client.closed) return
  connection.client.id = session
  connections.claimSession(session, connection)
}

function refuseLogIn(
  parts: HookParts,
  connection: Connection,
  answer: { outcome: Extract<LogInOutcome, { ok: false }>; callback: LogInCallback },
): void {
  const { log, logLimit, clock } = parts
  const { refusal, reason } = answer.outcome
  if (logLimit.allows(`log-in ${connection.remoteAddress} ${refusal}`, clock.monotonic())) {
    const { remoteAddress, connect } = connection
    log.warn(
      {
        remoteAddress,
        username: excerpt(connect?.username ?? ''),
        clientId: excerpt(connect?.clientId ?? ''),
      },
      `log-in refused: ${reason}`,
    )
  }
  const error = new RefusalError(`log-in refused: ${reason}`, { returnCode: RETURN_CODES[refusal] })
  answer.callback(error as AuthenticateError, false)
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
  aedes.on('keepaliveTimeout', () => counters.keepaliveTimeouts++)
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
  if (
    error instanceof RefusalError ||
    error.errorCode !== undefined ||
    error.message === 'keep alive timeout'
  ) {
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
  if (error.message.startsWith('maxInflightInbound')) counters.qos2InFlightExceeded++
  else counters.connectionErrors++
  log.debug({ err: error, ...who }, 'connection ended by an error')
}
