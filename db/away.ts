import { databaseError, messageOf } from './errors.ts'
import { knownUnreachable } from './unreachable.ts'

/** What to do about SQLSTATEs of a database that answers and takes no batch (PostgreSQL documentation, appendix A). */
const REMEDIES: Record<string, string> = {
  '25006': 'it is read-only: a standby, or default_transaction_read_only is on',
  '42501': 'it refuses our user a right: GRANT it',
  '53100': 'its disk is full: free space there',
  '53200': 'it is out of memory',
  '57014':
    'a statement took longer than DATABASE_STATEMENT_TIMEOUT_MS: look for locks (pg_locks) and at its disk',
  '57P01': 'it is shutting down, or somebody ends our connections',
  '57P02': 'one of its processes has crashed, and it recovers: look into its log',
}

/** Why the database does not take a batch, in words for whoever has to mend it. */
export function explainAway(error: unknown): string {
  const { code, message } = databaseError(error) ?? { code: undefined, message: messageOf(error) }
  const remedy = REMEDIES[code ?? '']
  if (remedy !== undefined) return `${remedy} (${code}, ${message})`
  return knownUnreachable(error)?.reason ?? (code === undefined ? message : `${message} (${code})`)
}
