import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import PQueue from 'p-queue'
import type { Authenticate, Authentication, LogIn, Principal } from '../broker/types.ts'
import { verifySecret } from '../db/credentials.ts'
import { normalizeDevEui } from '../db/device-eui.ts'
import type { LogInRecord } from '../db/registry.ts'
import { type Registry, usernameOf } from './registry.ts'

/** Two at a time: scrypt runs on the thread pool, which the file system and DNS need too. */
const VERIFICATIONS_AT_ONCE = 2
const VERIFICATIONS_WAITING_MAX = 5_000
const VERIFIED_MAX = 100_000

export interface AuthenticatorCounters {
  /** scrypt runs: a reconnect of a client that was verified before costs none. */
  verifications: number
}

/**
 * Checks log-ins against the database, or against what was last loaded while it is away. A verified secret is
 * remembered (as a keyed hash, for the stored hash it matched), so a reconnect storm costs no scrypt.
 */
export function createAuthenticator(registry: Pick<Registry, 'lookUpLogIn' | 'logIn'>): {
  authenticate: Authenticate
  counters: AuthenticatorCounters
} {
  const counters = { verifications: 0 }
  const queue = new PQueue({ concurrency: VERIFICATIONS_AT_ONCE })
  const verified = new VerifiedSecrets()

  async function matches(secret: Buffer, hash: string): Promise<boolean | undefined> {
    if (verified.has(hash, secret)) return true
    if (queue.size >= VERIFICATIONS_WAITING_MAX) return undefined
    return queue.add(async () => {
      // Another connection of the same client may have been verified while this one waited.
      if (verified.has(hash, secret)) return true
      counters.verifications += 1
      const ok = await verifySecret(secret, hash)
      if (ok) verified.add(hash, secret)
      return ok
    })
  }

  async function authenticate(logIn: LogIn): Promise<Authentication> {
    if (logIn.username === undefined)
      return refuse('not_authorized', 'no username: anonymous clients are refused')
    const username = canonicalUsername(logIn.username)
    const record = await currentRecord(registry, username)
    if (!record) return refuse('bad_credentials', `nobody may log in as "${username}"`)
    if (logIn.certificateName !== undefined) return { ok: true, principal: principalOf(record) }
    if (logIn.password === undefined) return refuse('bad_credentials', 'no password')
    const ok = await matches(logIn.password, record.credentialHash)
    if (ok === undefined) return refuse('unavailable', 'too many log-ins are waiting to be verified')
    return ok
      ? { ok: true, principal: principalOf(record) }
      : refuse('bad_credentials', `wrong password for "${username}"`)
  }

  return { authenticate, counters }
}

async function currentRecord(
  registry: Pick<Registry, 'lookUpLogIn' | 'logIn'>,
  username: string,
): Promise<LogInRecord | undefined> {
  try {
    return await registry.lookUpLogIn(username)
  } catch {
    // The database is away; who could log in before can still do so.
    return registry.logIn(username)
  }
}

/** A DevEUI may be written in several ways; everything else is taken as it stands. */
function canonicalUsername(username: string): string {
  if (!username.startsWith('device:')) return username
  const devEui = normalizeDevEui(username.slice('device:'.length))
  return devEui === null ? username : `device:${devEui}`
}

function principalOf(record: LogInRecord): Principal {
  const { kind, name, id, organizationId, credentialHash } = record
  return { kind, name, id, organizationId, credentialHash, username: usernameOf(record) }
}

function refuse(
  refusal: 'bad_credentials' | 'not_authorized' | 'unavailable',
  reason: string,
): Authentication {
  return { ok: false, refusal, reason }
}

/** Secrets seen to match their stored hash, oldest forgotten first. Holds keyed hashes, never a secret. */
class VerifiedSecrets {
  readonly #key = randomBytes(32)
  readonly #digests = new Map<string, Buffer>()

  has(hash: string, secret: Buffer): boolean {
    const known = this.#digests.get(hash)
    return known !== undefined && timingSafeEqual(known, this.#digest(secret))
  }

  add(hash: string, secret: Buffer): void {
    if (this.#digests.size >= VERIFIED_MAX) {
      const oldest = this.#digests.keys().next()
      if (!oldest.done) this.#digests.delete(oldest.value)
    }
    this.#digests.set(hash, this.#digest(secret))
  }

  #digest(secret: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(secret).digest()
  }
}
