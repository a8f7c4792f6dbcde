import { setImmediate as nextTurn } from 'node:timers/promises'
import type { AuthenticateError } from 'aedes'
import { addressKey } from './address.ts'
import type { Connection } from './connection.ts'
import type { HookParts } from './hook-parts.ts'
import { Keepalive } from './keepalive.ts'
import { checkLogIn, type LogInOutcome, RETURN_CODES } from './log-in.ts'
import { RefusalError } from './refusal.ts'
import { excerpt } from './strings.ts'
import type { Principal } from './types.ts'

type LogInCallback = (error: AuthenticateError | null, successful: boolean | null) => void

/** Not as wrong: its secret may have been changed, and some clients give up for good over a wrong password. */
const REVOKED_MEANWHILE: LogInOutcome = {
  ok: false,
  refusal: 'unavailable',
  reason: 'it was revoked or changed while it was being checked',
}

/** Answers a CONNECT: checks it, claims its session, and lets what comes behind it be read. */
export async function logIn(
  parts: HookParts,
  connection: Connection,
  callback: LogInCallback,
): Promise<void> {
  const { settings, authenticate, counters, log, gate, lockOut, clock } = parts
  const checked = await checkLogIn(connection, {
    authenticate,
    timeout_ms: settings.MQTT_CONNECT_TIMEOUT_MS,
    counters,
    log,
    lockOut,
    clock,
  })
  // Nothing may be awaited from here until the connection is on the list: from then on `disconnectWhere` sees it.
  const outcome = checked.ok && !parts.stillValid(checked.principal) ? REVOKED_MEANWHILE : checked
  // Before it may wait for its session: from now on only the secret's owner is waiting.
  gate.endLogIn(connection.peer)
  // Aedes has made one up by now if the client sent none.
  connection.clientId = connection.client.id
  if (outcome.ok && !connection.client.closed) await claimSession(parts, connection, outcome.principal)
  // The client did not wait; Aedes ignores the answer too.
  if (connection.client.closed) return
  if (!outcome.ok) return refuseLogIn(parts, connection, { outcome, callback })
  counters.logInsAccepted++
  noteFlapping(parts, outcome.principal)
  open(parts, connection, outcome.principal)
  callback(null, true)
}

/** From now on it is read, and its silence counts. */
function open(parts: HookParts, connection: Connection, { username }: Principal): void {
  const { held, counters, clock } = parts
  const { stream, keepaliveSeconds, scanner } = connection
  const admission = held.join(username, () => stream.emit('readable'))
  connection.admission = admission
  connection.keepalive = new Keepalive({
    keepaliveSeconds,
    isWaiting: () => admission.isWaiting,
    now: () => clock.monotonic(),
    onTimeout: () => {
      counters.keepaliveTimeouts++
      stream.destroy(new RefusalError('nothing came for 1.5 times its keepalive'))
    },
  })
  scanner.logIn()
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
  if (isLive(connections.bySession(session)) && !(await mayTakeOver(parts, connection, session))) {
    connection.client.close()
    return
  }
  // It may have gone while it waited: then the other one stays.
  if (connection.client.closed) return
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

function isLive(connection: Connection | undefined): boolean {
  return connection !== undefined && !connection.client.closed
}

/** False when a newer log-in has come while this one waited for its turn. */
async function mayTakeOver(parts: HookParts, connection: Connection, session: string): Promise<boolean> {
  const { takeovers, counters, log, logLimit, clock } = parts
  if (takeovers.isFree(session)) return true
  counters.takeoversSlowed++
  if (logLimit.allows(`takeover ${session}`, clock.monotonic())) {
    const { remoteAddress, clientId } = connection
    log.warn(
      { remoteAddress, username: connection.principal?.username, clientId: excerpt(clientId) },
      'two clients with one client id throw each other out: give each an id of its own',
    )
  }
  return takeovers.wait(session)
}

function noteFlapping(parts: HookParts, { kind, username }: Principal): void {
  const { flapping, counters, log, logLimit, clock } = parts
  if (kind !== 'hub' || flapping.pour(username, clock.monotonic())) return
  counters.logInsFlapping++
  if (logLimit.allows(`flapping ${username}`, clock.monotonic())) {
    log.warn(
      { username },
      'a hub is flapping: it loses its connection and logs in again, many times a minute',
    )
  }
}

function refuseLogIn(
  parts: HookParts,
  connection: Connection,
  answer: { outcome: Extract<LogInOutcome, { ok: false }>; callback: LogInCallback },
): void {
  const { log, logLimit, clock } = parts
  const { refusal, reason } = answer.outcome
  const { remoteAddress, connect } = connection
  if (logLimit.allows(`log-in ${addressKey(remoteAddress)} ${refusal}`, clock.monotonic())) {
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
