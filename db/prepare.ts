import { type DatabaseServer, type DatabaseServerSettings, openDatabaseServer } from './database-server.ts'
import { databaseError } from './errors.ts'
import { migrateDatabase } from './migrate.ts'
import type { ServerLog } from './server-log.ts'
import { explainUnreachable } from './unreachable.ts'

/** A database that answers, with this version's schema and its partitions. Throws a sentence for the operator. */
export async function prepareDatabase(
  settings: DatabaseServerSettings,
  log: ServerLog,
): Promise<DatabaseServer> {
  const server = await openDatabaseServer(settings, log)
  try {
    await migrateDatabase(server.directUrl)
    return server
  } catch (error) {
    await server.release()
    throw error
  }
}

/** SQLSTATE classes and codes of what a start may meet and what ends by itself, or when an operator has made room. */
const PASSING: Record<string, string> = {
  '08': 'connection exception',
  '40': 'transaction rollback: a deadlock, or a failover',
  '53': 'insufficient resources: disk, memory, connections',
  '57': 'operator intervention: it is stopped, starts up, or has cancelled a statement',
  '58': 'system error, for example of a disk',
  '25006': 'read-only: a standby, or one that is being failed over',
  '55P03': 'lock not available: another process migrates, or uses a table that a migration changes',
}

/**
 * Whether what has failed a start may succeed later without a change of settings, schema or program. What is not known to
 * pass does not: a service that waits for ever for what never comes would only look as if it worked.
 */
export function mayPass(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = databaseError(error)?.code
  if (code !== undefined && (code in PASSING || code.slice(0, 2) in PASSING)) return true
  return explainUnreachable(error).isPassing || mayPass(error.cause)
}
