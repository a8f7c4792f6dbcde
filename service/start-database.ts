import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { DatabaseServer, DatabaseServerSettings } from '../db/database-server.ts'
import { messageOf } from '../db/errors.ts'
import { mayPass, prepareDatabase } from '../db/prepare.ts'
import type { RegistryContents } from '../ingest/registry-snapshot.ts'
import { readSnapshot, type SnapshotPlace } from '../ingest/snapshot-file.ts'

/** The pause between two attempts to open a database that is away. */
const RETRY_MS = 1_000
const AWAY_LOG_MS = 60_000

/** How a start found its database: prepared, or away, with what is known of it from before. */
export type FoundDatabase =
  | { server: DatabaseServer; away?: never }
  | { server?: never; away: { known: RegistryContents; reason: string } }

/** Where devices and log-ins are kept; undefined for the embedded database, which is on the same disk. */
export function snapshotPlace(settings: DatabaseServerSettings): SnapshotPlace | undefined {
  if (settings.DATABASE_URL === undefined) return undefined
  const database = new URL(settings.DATABASE_URL)
  database.password = ''
  database.searchParams.delete('password')
  return { path: join(settings.DATA_DIR, 'registry.snapshot'), database: database.href }
}

/**
 * The database of a start. A process that has served before does not wait for one that is away: it may go on with its
 * snapshot. Another one waits for DATABASE_START_WAIT_MS. Throws a sentence for the operator.
 */
export async function findDatabase(settings: DatabaseServerSettings, log: Logger): Promise<FoundDatabase> {
  const place = snapshotPlace(settings)
  if (place && existsSync(place.path)) {
    try {
      return { server: await prepareOnce(settings, log) }
    } catch (error) {
      if (!mayPass(error)) throw error
      const known = await readSnapshot(place, log)
      if (known) return { away: { known, reason: messageOf(error) } }
    }
  }
  return { server: await prepareDatabase(settings, log) }
}

export interface ReturnOptions {
  settings: DatabaseServerSettings
  log: Logger
  /** Why the last attempt to find the database failed. */
  reason: string
  /** Goes on with the database; what it throws counts as a failed attempt. */
  goOn: (server: DatabaseServer) => Promise<void>
  /** Told why each further attempt has failed. */
  onAway: (reason: string) => void
  /** Aborted when the service stops. */
  signal: AbortSignal
}

/**
 * Waits for a database that was away at the start; resolves when the service goes on with it, or stops. Rejects with
 * what does not pass by itself, for example a schema that is newer than this program.
 */
export async function untilDatabaseIsBack(options: ReturnOptions): Promise<void> {
  const { settings, log, goOn, onAway, signal } = options
  let { reason } = options
  let nextLogMs = 0
  while (!signal.aborted) {
    if (performance.now() >= nextLogMs) {
      log.warn(`started without the database, messages go to the spool until it is back: ${reason}`)
      nextLogMs = performance.now() + AWAY_LOG_MS
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    try {
      const server = await prepareOnce(settings, log)
      if (!signal.aborted) await goOn(server)
      return
    } catch (error) {
      if (signal.aborted) return
      if (!mayPass(error)) throw error
      reason = messageOf(error)
      onAway(reason)
    }
  }
}

function prepareOnce(settings: DatabaseServerSettings, log: Logger): Promise<DatabaseServer> {
  return prepareDatabase({ ...settings, DATABASE_START_WAIT_MS: 0 }, log)
}
