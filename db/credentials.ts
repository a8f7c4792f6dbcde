import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

/** What one scrypt hash costs, memory and time. */
export interface HashCost {
  N: number
  r: number
  p: number
}

/**
 * Secrets are 24 random bytes of our own making, so they need no costly stretching; the cost below (about 4 MB and
 * 10 ms) still slows down whoever steals the table. It stands in each hash, so that it can be raised later.
 */
const COST: HashCost = { N: 4096, r: 8, p: 1 }
const HASH_BYTES = 32
const SALT_BYTES = 16

const derive = promisify<string | Buffer, Buffer, number, HashCost, Buffer>(scrypt)

/** A new secret for a hub, device, network server or operator: 32 characters, safe in a URL and on a command line. */
export function createSecret(): string {
  return randomBytes(24).toString('base64url')
}

/** The scrypt hash to store for a secret: `scrypt$N=4096,r=8,p=1$<salt>$<hash>`, both base64url. */
export async function hashSecret(secret: string, cost = COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const hash = await derive(secret, salt, HASH_BYTES, cost)
  return `scrypt$N=${cost.N},r=${cost.r},p=${cost.p}$${salt.toString('base64url')}$${hash.toString('base64url')}`
}

/** Whether the secret belongs to the stored hash; false too for a hash of another form. Takes milliseconds, off the event loop. */
export async function verifySecret(secret: string | Buffer, stored: string): Promise<boolean> {
  const match = /^scrypt\$N=(\d+),r=(\d+),p=(\d+)\$([\w-]+)\$([\w-]+)$/.exec(stored)
  if (!match) return false
  const [, N, r, p, salt = '', hash = ''] = match
  const expected = Buffer.from(hash, 'base64url')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  const actual = await derive(secret, Buffer.from(salt, 'base64url'), expected.length, cost)
  return timingSafeEqual(actual, expected)
}
