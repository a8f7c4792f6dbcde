import { setTimeout as sleep } from 'node:timers/promises'
import type { Authenticate, Authentication, LogIn } from '../broker/types.ts'
import { normalizeDevEui } from '../db/device-eui.ts'
import type { LogInRecord } from '../db/registry.ts'
import { SecretVerifier } from './authenticate-secrets.ts'
import { principalOf, type Registry } from './registry.ts'

export interface AuthenticatorCounters {
  /** scrypt runs: a reconnect of a client that was verified before costs none. */
  verifications: number
  /** Log-ins decided by what was last loaded: the database was away, or did not answer in time. */
  fromMemory: number
}

type LogIns = Pick<Registry, 'lookUpLogIn' | 'logIn'>
/** Who may log in, nobody, or not to be known at present. */
type Found = LogInRecord | undefined | 'away'

/**
 * Checks log-ins against the database, or, when it fails or has not answered after `lookUpMs`, against what was last
 * loaded.
 */
export function createAuthenticator(
  registry: LogIns,
  { lookUpMs }: { lookUpMs: number },
): { authenticate: Authenticate; counters: AuthenticatorCounters } {
  const counters = { verifications: 0, fromMemory: 0 }
  const secrets = new SecretVerifier(() => {
    counters.verifications += 1
  })

  async function find(username: string): Promise<Found> {
    const found = await answerOrAway(lookUpMs, registry.lookUpLogIn(username))
    if (found !== 'away') return found
    counters.fromMemory += 1
    return registry.logIn(username) ?? 'away'
  }

  async function authenticate(logIn: LogIn): Promise<Authentication> {
    if (logIn.username === undefined)
      return refuse('not_authorized', 'no username: anonymous clients are refused')
    const username = canonicalUsername(logIn.username)
    if (logIn.isLockedOut)
      return decideLockedOut(username, logIn, { record: registry.logIn(username), secrets })
    const record = await find(username)
    // It may be new, and "wrong password" would make some clients give up for good.
    if (record === 'away')
      return refuse('unavailable', `the database does not answer, and nothing is known of "${username}"`)
    return decide(username, logIn, { record, secrets })
  }

  return { authenticate, counters }
}

interface Known {
  record: LogInRecord | undefined
  secrets: SecretVerifier
}

async function decide(username: string, logIn: LogIn, { record, secrets }: Known): Promise<Authentication> {
  const { password, certificateName, remoteAddress = '' } = logIn
  const nobody = refuse('bad_credentials', `nobody may log in as "${username}"`)
  if (certificateName !== undefined) return record ? accepted(record) : nobody
  if (password === undefined) return refuse('bad_credentials', 'no password')
  const ok = await secrets.matches(password, record?.credentialHash, remoteAddress)
  if (ok === undefined) return refuse('unavailable', 'too many log-ins are waiting to be verified')
  if (!record) return nobody
  return ok ? accepted(record) : refuse('bad_credentials', `wrong password for "${username}"`)
}

/** Without the database and without scrypt: only a secret that was verified before comes in. */
function decideLockedOut(username: string, { password }: LogIn, { record, secrets }: Known): Authentication {
  const isRemembered = secrets.isRemembered(password ?? Buffer.alloc(0), record?.credentialHash)
  return record && isRemembered
    ? accepted(record)
    : refuse('unavailable', `locked out: too many wrong log-ins as "${username}", or from its address`)
}

/** The database's answer; `away` when it fails or takes too long. */
async function answerOrAway(timeoutMs: number, answer: Promise<LogInRecord | undefined>): Promise<Found> {
  const answered = new AbortController()
  const late = sleep(timeoutMs, 'away' as const, { signal: answered.signal }).catch(() => 'away' as const)
  try {
    return await Promise.race([answer.catch(() => 'away' as const), late])
  } finally {
    answered.abort()
  }
}

/** A DevEUI may be written in several ways; everything else is taken as it stands. */
function canonicalUsername(username: string): string {
  if (!username.startsWith('device:')) return username
  const devEui = normalizeDevEui(username.slice('device:'.length))
  return devEui === null ? username : `device:${devEui}`
}

function accepted(record: LogInRecord): Authentication {
  return { ok: true, principal: principalOf(record) }
}

function refuse(
  refusal: 'bad_credentials' | 'not_authorized' | 'unavailable',
  reason: string,
): Authentication {
  return { ok: false, refusal, reason }
}
