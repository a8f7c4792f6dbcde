import { sql } from 'drizzle-orm'
import { LOCKS } from '../advisory-locks.ts'
import type { Database } from '../client.ts'
import { databaseError } from '../errors.ts'
import { FleetError } from './fleet-error.ts'

const LOCK = LOCKS.fleet
const LOCK_TIMEOUT_MS = 120_000
const LOCK_NOT_AVAILABLE = '55P03'

/**
 * Lets one process at a time apply a fleet to a database, from reading it until its secrets are in the credentials file.
 * The lock belongs to a transaction that writes nothing, on a connection of its own: so it works behind a pooler, holds
 * nothing back, and ends with this process.
 */
export async function underFleetLock<T>(db: Database, work: () => Promise<T>): Promise<T> {
  return db.transaction(async (tx) => {
    await tx.execute(sql.raw(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`))
    await tx.execute(sql.raw('set local idle_in_transaction_session_timeout = 0'))
    try {
      await tx.execute(sql`select pg_advisory_xact_lock(${LOCK.space}::int, ${LOCK.key}::int)`)
    } catch (error) {
      if (databaseError(error)?.code !== LOCK_NOT_AVAILABLE) throw error
      throw new FleetError(
        `Another fleet:apply has been working on this database for ${LOCK_TIMEOUT_MS / 1_000} s. Nothing was changed. Wait for it and run this again.`,
      )
    }
    return work()
  })
}
