import { DatabaseError } from 'pg'

/** Why a database could not be reached, and whether it may come up by itself. */
export interface Unreachable {
  /** What happened, and what to check. */
  reason: string
  isPassing: boolean
}

interface Row extends Unreachable {
  code: string
  /** Of Node's system calls the one that it must come from. */
  syscall?: string
}

/** Codes of Node's sockets and SQLSTATEs of PostgreSQL's log-in (PostgreSQL documentation, appendix A). */
const ROWS: Row[] = [
  {
    code: 'ECONNREFUSED',
    reason:
      'nothing listens there (ECONNREFUSED). Check that PostgreSQL runs, its listen_addresses, and the host and port',
    isPassing: true,
  },
  {
    code: '57P03',
    reason: 'the server is starting up or shutting down (57P03). Look into its log',
    isPassing: true,
  },
  {
    code: '53300',
    reason: 'all its connections are taken (53300). Raise max_connections, or put a pooler before it',
    isPassing: true,
  },
  // The name service of a container network knows a container only once that runs.
  {
    code: 'ENOTFOUND',
    reason: 'that host name is unknown (ENOTFOUND). Check how it is written',
    isPassing: true,
  },
  {
    code: 'EAI_AGAIN',
    reason: 'the name service does not answer (EAI_AGAIN). Check the network',
    isPassing: true,
  },
  {
    code: 'ECONNRESET',
    reason: 'the connection was cut (ECONNRESET). Check what stands between',
    isPassing: true,
  },
  {
    code: 'ETIMEDOUT',
    reason: 'it does not answer (ETIMEDOUT). Check host, port and firewall',
    isPassing: true,
  },
  {
    code: 'EHOSTUNREACH',
    reason: 'there is no route to it (EHOSTUNREACH). Check the network',
    isPassing: true,
  },
  {
    code: 'ENETUNREACH',
    reason: 'there is no route to it (ENETUNREACH). Check the network',
    isPassing: true,
  },
  {
    code: 'ENETDOWN',
    reason: 'the network is down (ENETDOWN). Check it',
    isPassing: true,
  },
  {
    code: 'EHOSTDOWN',
    reason: 'its machine does not answer (EHOSTDOWN). Check that it runs',
    isPassing: true,
  },
  {
    code: 'EPIPE',
    reason: 'the connection was cut (EPIPE). Check what stands between',
    isPassing: true,
  },
  // A server that is stopped takes its Unix socket away. A file that is not there, as a certificate, is another matter.
  {
    code: 'ENOENT',
    syscall: 'connect',
    reason: 'it has no socket there (ENOENT). Check that PostgreSQL runs, and the folder of its socket',
    isPassing: true,
  },
  { code: '28P01', reason: 'it refuses the user or the password (28P01). Check both', isPassing: false },
  {
    code: '28000',
    reason:
      'it does not let this user in (28000). Check the user, pg_hba.conf, and whether it demands TLS (?sslmode=require)',
    isPassing: false,
  },
  {
    code: '3D000',
    reason: 'it has no database of that name (3D000). Create it (CREATE DATABASE), or correct the name',
    isPassing: false,
  },
]

/**
 * PgBouncer's own errors have this code, and up to 1.18 also what PostgreSQL has told it, whether that passes or not; 1.24
 * hands PostgreSQL's code on (its server.c, `kill_pool_logins_server_error`).
 */
const POOLER_ERROR = '08P01'

/** A log-in to a database that is closed for maintenance, or was dropped in part; of a statement, something else. */
const NOT_IN_STATE = '55000'

/** The function of PostgreSQL (its postinit.c) that refuses who comes to a closed one: `severity` is in the server's language. */
const CLOSED_AT = 'CheckMyDatabase'
/** What was dropped in part never opens. */
const INVALID = /cannot connect to invalid database/

/** What pg says, without a code, of a connection that takes too long or is gone. */
const LOST = /timeout|Connection terminated|Client has encountered a connection error/i

/** What is known about an error of an attempt to connect, by its code. */
export function knownUnreachable(error: unknown): Unreachable | undefined {
  const code = errorCode(error)
  return ROWS.find(
    (row) => row.code === code && (row.syscall === undefined || row.syscall === syscallOf(error)),
  )
}

/** Reads the error of an attempt to connect. */
export function explainUnreachable(error: unknown): Unreachable {
  const known = knownUnreachable(error)
  if (known) return known
  const code = errorCode(error)
  const message = error instanceof Error ? error.message : String(error)
  if (code === POOLER_ERROR) {
    return { reason: `the pooler says: ${message} (${code}). Look into its log`, isPassing: true }
  }
  if (isClosed(error)) {
    const opening = 'If nobody works on it, ALTER DATABASE … ALLOW_CONNECTIONS true opens it'
    return { reason: `${message} (${code}). ${opening}`, isPassing: true }
  }
  const remedy =
    code === NOT_IN_STATE && INVALID.test(message)
      ? 'A DROP DATABASE of it was cut short: drop it, and create it anew or from a backup'
      : 'Check that a PostgreSQL answers there'
  return { reason: `${message}${code ? ` (${code})` : ''}. ${remedy}`, isPassing: LOST.test(message) }
}

/** Where a URL leads, without its password. */
export function describeTarget(databaseUrl: string): string {
  const { hostname, port, username, pathname } = new URL(databaseUrl)
  const database = decodeURIComponent(pathname.slice(1)) || decodeURIComponent(username)
  return `database "${database}" at ${hostname}:${port || '5432'} as user "${decodeURIComponent(username)}"`
}

/** Whether a database lets nobody in for now. A pooler that hands on the code (PgBouncer) leaves out who has said it. */
function isClosed(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || error.code !== NOT_IN_STATE) return false
  const { routine, severity, message } = error
  return routine === undefined ? severity === 'FATAL' && !INVALID.test(message) : routine === CLOSED_AT
}

/** A host with several addresses fails with one error for each of them. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError ? error.errors[0] : error
}

function errorCode(error: unknown): string | undefined {
  const one = firstOf(error)
  return one instanceof Error && 'code' in one && typeof one.code === 'string' ? one.code : undefined
}

function syscallOf(error: unknown): unknown {
  const one = firstOf(error)
  return one instanceof Error && 'syscall' in one ? one.syscall : undefined
}
