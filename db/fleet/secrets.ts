import { createSecret, type HashCost, hashSecret } from '../credentials.ts'
import type { LogIn } from './log-ins.ts'

/** A new secret: the text for the credentials file, the hash for the database. */
export interface NewSecret {
  logIn: LogIn
  secret: string
  hash: string
}

/** Hashes under way at once; the thread pool that they share with the file system has 4 threads. */
const HASHES_AT_ONCE = 4

/** About 10 ms each, unless `cost` says otherwise: make them before the transaction, not in it. */
export async function createSecrets(logIns: readonly LogIn[], cost?: HashCost): Promise<NewSecret[]> {
  const secrets: NewSecret[] = []
  for (let start = 0; start < logIns.length; start += HASHES_AT_ONCE) {
    const group = logIns.slice(start, start + HASHES_AT_ONCE).map(async (logIn) => {
      const secret = createSecret()
      return { logIn, secret, hash: await hashSecret(secret, cost) }
    })
    secrets.push(...(await Promise.all(group)))
  }
  return secrets
}
