import { databaseError, verdictOf } from '../db/errors.ts'

/** Classes of SQLSTATE that name what is written, beside those that every part of the program knows. */
const OF_WHAT_IS_WRITTEN: Record<string, string> = {
  '21': 'cardinality violation: two of what is written are the same row',
  '54': 'program limit exceeded: a value is too large or too deep',
  P0: 'raised by a trigger',
}

/** The server has given up a statement. Where it is away or hangs, there is no such answer. */
const STATEMENT_TIMEOUT = '57014'

/** Whether a statement has taken longer than it may. */
export function isTimeout(error: unknown): boolean {
  return databaseError(error)?.code === STATEMENT_TIMEOUT
}

/** Whether reading or folding the rows of a device would fail again at once, while other devices would not. */
export function isOfDevice(error: unknown): boolean {
  return isTimeout(error) || isOfData(error)
}

/**
 * Whether an error comes from what is judged or written: trying the same again fails again, while something else would not.
 * Where the database is away, hangs or refuses us, it is the same for all.
 */
export function isOfData(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true
  const { code } = databaseError(error) ?? {}
  return verdictOf(error) !== 'retry' || (code !== undefined && code.slice(0, 2) in OF_WHAT_IS_WRITTEN)
}
