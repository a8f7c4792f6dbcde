import { DrizzleQueryError } from 'drizzle-orm'
import { DatabaseError } from 'pg'
import { EncodingError } from './copy/copy-writer.ts'

/**
 * What to do about a failed database call:
 * - `retry`: the database is away or busy; the same call may succeed later
 * - `duplicate`: a unique key is taken (23505)
 * - `data`: a value in the statement is at fault; repeating the same call fails for ever
 */
export type Verdict = 'retry' | 'duplicate' | 'data'

/** SQLSTATE classes whose cause is the data, not the moment. Everything else is tried again: an error that we do not know must never drop a reading. */
const DATA_CLASSES: Record<string, string> = {
  '22': 'data exception: a value does not fit its type, for example 22021 (NUL or bad UTF-8) and 22003 (out of range)',
  '23': 'integrity constraint, for example 23514 (no partition or a CHECK) and 23502 (null)',
}

const UNIQUE_VIOLATION = '23505'

/** The PostgreSQL error behind whatever Drizzle or pg threw, if the server answered with one. */
export function databaseError(error: unknown): DatabaseError | undefined {
  if (error instanceof DatabaseError) return error
  if (error instanceof DrizzleQueryError) return databaseError(error.cause)
  return undefined
}

/** Why a row cannot be stored, whoever says so: PostgreSQL, or what encodes it. Undefined for other errors. */
export function refusalOf(error: unknown): { message: string; code?: string } | undefined {
  return error instanceof EncodingError ? error : databaseError(error)
}

export function verdictOf(error: unknown): Verdict {
  if (error instanceof EncodingError) return 'data'
  const code = databaseError(error)?.code
  if (code === undefined) return 'retry'
  if (code === UNIQUE_VIOLATION) return 'duplicate'
  return code.slice(0, 2) in DATA_CLASSES ? 'data' : 'retry'
}

/** What an error says, or whatever else was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
