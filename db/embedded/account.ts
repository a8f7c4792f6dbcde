import { stat } from 'node:fs/promises'
import { type Account, run } from './run.ts'

const LOOKUP_TIMEOUT_MS = 5_000
const CANDIDATES = ['postgres', 'nobody']

export function weAreRoot(): boolean {
  return process.getuid?.() === 0
}

/**
 * The user for a new cluster: undefined = ourselves. PostgreSQL refuses to run as root, so root borrows another user.
 */
export async function accountForNewCluster(): Promise<Account | undefined> {
  if (!weAreRoot()) return undefined
  for (const name of CANDIDATES) {
    const [uid, gid] = [await idOf('-u', name), await idOf('-g', name)]
    if (uid !== undefined && gid !== undefined && uid !== 0) return { uid, gid }
  }
  throw new Error(
    `FrostGuard runs as root, which PostgreSQL refuses, and this system has none of the users ${CANDIDATES.join(', ')}. ` +
      'Create a user "postgres", start FrostGuard as another user, or set DATABASE_URL to a database of your own.',
  )
}

/** The user that a cluster belongs to, which must be the one that runs it; undefined = ourselves. */
export async function accountOfCluster(folder: string): Promise<Account | undefined> {
  const { uid, gid } = await stat(folder)
  if (!weAreRoot()) {
    if (uid === process.getuid?.()) return undefined
    throw new Error(
      `The database cluster in ${folder} belongs to the user with id ${uid}, and FrostGuard runs as ${process.getuid?.()}. ` +
        'Start it as that user (or as root), or set DATA_DIR to another folder.',
    )
  }
  if (uid !== 0) return { uid, gid }
  throw new Error(
    `The database cluster in ${folder} belongs to root, and PostgreSQL refuses to run as root. ` +
      `Give it to another user, for example: chown -R ${CANDIDATES[0]} ${folder}`,
  )
}

async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  const { code, output } = await run('id', [flag, name], { timeoutMs: LOOKUP_TIMEOUT_MS })
  return code === 0 && /^\d+$/.test(output) ? Number(output) : undefined
}
