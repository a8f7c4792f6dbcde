import type { Logger } from 'pino'
import { addressKey } from './address.ts'
import type { Connection } from './connection.ts'
import type { BrokerCounters, LogInRefusal } from './counters.ts'
import type { Clock } from './intake.ts'
import type { LockOut } from './lock-out.ts'
import { isWellFormed } from './strings.ts'
import { publishRoute } from './topics.ts'
import type { Authenticate, Authentication, LogIn, Principal } from './types.ts'

/** Far above what any client uses (MQTT 3.1.1 promises 23), far below what would bloat logs and sessions. */
const CLIENT_ID_LENGTH_MAX = 256
const USERNAME_LENGTH_MAX = 256

export type LogInOutcome =
  | { ok: true; principal: Principal }
  | { ok: false; refusal: Exclude<LogInRefusal, 'protocol'>; reason: string }

/** CONNACK return codes [MQTT-3.2.2.3]. */
export const RETURN_CODES: Record<LogInRefusal, number> = {
  protocol: 1,
  identifier: 2,
  unavailable: 3,
  bad_credentials: 4,
  not_authorized: 5,
}

export interface LogInOptions {
  authenticate: Authenticate
  timeout_ms: number
  counters: BrokerCounters
  log: Logger
  lockOut: LockOut
  clock: Clock
}

/** Decides on a CONNECT: its strings, its credentials, its last will. Never throws. */
export async function checkLogIn(connection: Connection, options: LogInOptions): Promise<LogInOutcome> {
  if (connection.crowdedOut) return refused('unavailable', 'too many log-ins are being checked')
  const logIn = readConnect(connection)
  if ('refusal' in logIn) {
    if (logIn.badString) options.counters.badStrings++
    return logIn
  }
  const answer = await authenticateOrLockOut(logIn, options)
  if (!answer.ok) return answer
  const willTopic = connection.connect?.will?.topic
  if (willTopic !== undefined && !publishRoute(answer.principal, willTopic)) {
    return refused('not_authorized', 'the topic of its last will is not one that it may publish to')
  }
  return answer
}

type Refused = Extract<LogInOutcome, { ok: false }> & { badString?: boolean }

function refused<R extends Refused['refusal']>(refusal: R, reason: string) {
  return { ok: false as const, refusal, reason }
}

function readConnect({ connect, certificateName, remoteAddress }: Connection): LogIn | Refused {
  if (!connect) return refused('unavailable', 'no CONNECT')
  const { clientId, clean, password } = connect
  if (!isWellFormed(clientId)) {
    return { ...refused('identifier', 'the client id is not plain UTF-8 text'), badString: true }
  }
  if (clientId.length > CLIENT_ID_LENGTH_MAX) {
    return refused('identifier', `the client id is longer than ${CLIENT_ID_LENGTH_MAX} characters`)
  }
  // [MQTT-3.1.3-8]: without an id a kept session could never be found again.
  if (clientId === '' && !clean) return refused('identifier', 'an empty client id needs clean session on')
  const username = connect.username ?? certificateName
  if (!username) return refused('not_authorized', 'anonymous: no username')
  if (!isWellFormed(username) || username.length > USERNAME_LENGTH_MAX) {
    return { ...refused('bad_credentials', 'the username is not plain UTF-8 text'), badString: true }
  }
  if (certificateName !== undefined && username !== certificateName) {
    return refused('not_authorized', "the username is not the client certificate's CN")
  }
  return {
    username,
    password: password === undefined ? undefined : Buffer.from(password),
    clientId,
    remoteAddress,
    isLockedOut: false,
    ...(certificateName === undefined ? {} : { certificateName }),
  }
}

/** With a certificate there is no secret to guess. */
async function authenticateOrLockOut(logIn: LogIn, options: LogInOptions): Promise<Authentication> {
  const { lockOut, clock, counters } = options
  const { username = '', remoteAddress, certificateName } = logIn
  if (certificateName !== undefined) return inTime(authenticate(logIn, options), options)
  const attempt = { username, address: addressKey(remoteAddress) }
  if (!lockOut.begin(attempt, clock.monotonic())) {
    const answer = await inTime(authenticate({ ...logIn, isLockedOut: true }, options), options)
    if (!answer.ok) counters.logInsLockedOut++
    return answer
  }
  const answering = authenticate(logIn, options)
  // Also when the client does not wait for it: a secret that was checked too late has cost as much.
  void answering.then((answer) => lockOut.settle(attempt, outcomeOf(answer), clock.monotonic()))
  return inTime(answering, options)
}

function outcomeOf(answer: Authentication): 'right' | 'wrong' | 'undecided' {
  if (answer.ok) return 'right'
  return answer.refusal === 'bad_credentials' ? 'wrong' : 'undecided'
}

/** Never rejects. */
async function authenticate(logIn: LogIn, options: LogInOptions): Promise<Authentication> {
  try {
    return await options.authenticate(logIn)
  } catch (error) {
    options.log.error({ err: error, username: logIn.username }, 'a log-in could not be checked')
    return refused('unavailable', 'it could not be checked')
  }
}

async function inTime(answering: Promise<Authentication>, options: LogInOptions): Promise<Authentication> {
  const { promise: late, resolve } = Promise.withResolvers<Authentication>()
  const timer = setTimeout(
    () => resolve(refused('unavailable', `no answer within ${options.timeout_ms} ms`)),
    options.timeout_ms,
  )
  try {
    return await Promise.race([answering, late])
  } finally {
    clearTimeout(timer)
  }
}
