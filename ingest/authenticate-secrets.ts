import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { createSecret, hashSecret, verifySecret } from '../db/credentials.ts'
import { VerificationQueue } from './authenticate-queue.ts'

/** Two at a time: scrypt runs on the thread pool, which the file system and DNS need too. */
const VERIFICATIONS_AT_ONCE = 2
const VERIFICATIONS_WAITING_MAX = 5_000
const VERIFIED_MAX = 100_000
const NO_DIGEST = Buffer.alloc(32)

/**
 * Verifies secrets by scrypt, and remembers those that matched (as a keyed hash, for the stored hash), so that a
 * reconnect storm costs no scrypt.
 */
export class SecretVerifier {
  readonly #queue = new VerificationQueue({
    atOnce: VERIFICATIONS_AT_ONCE,
    waitingMax: VERIFICATIONS_WAITING_MAX,
  })
  readonly #verified = new VerifiedSecrets()
  readonly #onVerification: () => void
  #decoy: Promise<string> | undefined

  /** `onVerification` is told of every scrypt run. */
  constructor(onVerification: () => void) {
    this.#onVerification = onVerification
  }

  /**
   * Whether the secret belongs to the stored hash; without one (nobody has that username) the answer is no, and takes
   * as long. Undefined when too many wait to be verified.
   */
  async matches(secret: Buffer, hash: string | undefined, address: string): Promise<boolean | undefined> {
    if (this.isRemembered(secret, hash)) return true
    const stored = hash ?? (await this.#decoyHash())
    return this.#queue.run(address, () => this.#verify(secret, stored))
  }

  /** Whether it was seen to match before. */
  isRemembered(secret: Buffer, hash: string | undefined): boolean {
    return this.#verified.has(hash ?? '', secret)
  }

  async #verify(secret: Buffer, hash: string): Promise<boolean> {
    // Another connection of the same client may have been verified while this one waited.
    if (this.#verified.has(hash, secret)) return true
    this.#onVerification()
    const ok = await verifySecret(secret, hash)
    if (ok) this.#verified.add(hash, secret)
    return ok
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= hashSecret(createSecret())
    return this.#decoy
  }
}

/** Secrets seen to match their stored hash, oldest forgotten first. Holds keyed hashes, never a secret. */
class VerifiedSecrets {
  readonly #key = randomBytes(32)
  readonly #digests = new Map<string, Buffer>()

  has(hash: string, secret: Buffer): boolean {
    const known = this.#digests.get(hash)
    // Compared in any case: how long it takes must not tell whether there is one.
    const isEqual = timingSafeEqual(known ?? NO_DIGEST, this.#digest(secret))
    return known !== undefined && isEqual
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
