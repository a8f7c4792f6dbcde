import { chmod, lstat, mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Account, run } from './run.ts'

const PROBE_TIMEOUT_MS = 5_000

/**
 * Folders outside the checkout for what PostgreSQL's user must reach, in the order in which they are tried. The temp
 * folder may be emptied at a reboot, so it comes last.
 */
export function defaultSharedPlaces(): string[] {
  return ['/var/lib/frostguard', join(tmpdir(), `frostguard-${process.getuid?.() ?? 'shared'}`)]
}

/** Whether the user can enter the folder: tried by a process of that user, since modes alone do not tell (ACLs, mounts). */
export async function canEnter(folder: string, account: Account | undefined): Promise<boolean> {
  const { code } = await run('sh', ['-c', 'test -x "$1"', 'sh', folder], {
    account,
    timeoutMs: PROBE_TIMEOUT_MS,
  })
  return code === 0
}

/** The first of the places that we may write, nobody else may, and the user can enter; created if need be. */
export async function sharedPlace(places: string[], account: Account | undefined): Promise<string> {
  const reasons: string[] = []
  for (const place of places) {
    const reason = await unusable(place, account)
    if (reason === undefined) return place
    reasons.push(`${place}: ${reason}`)
  }
  throw new Error(
    `PostgreSQL runs as user id ${account?.uid ?? process.getuid?.()}, and no folder was found that this user can reach ` +
      `(${reasons.join('; ')}). Make one of them usable, start FrostGuard as another user, or set DATABASE_URL.`,
  )
}

async function unusable(place: string, account: Account | undefined): Promise<string | undefined> {
  try {
    await makeFolder(place)
    const { uid, mode } = await lstat(place)
    // In a folder that others may write, they could swap the programs that we run.
    if (uid !== process.getuid?.()) return `it belongs to user id ${uid}`
    if ((mode & 0o022) !== 0) return 'others may write in it'
    return (await canEnter(place, account)) ? undefined : 'that user cannot enter it'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Creates a folder that everyone may enter, whatever our umask; one that is there keeps its mode. */
export async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true })
  if (made !== undefined) await chmod(folder, 0o755)
}
