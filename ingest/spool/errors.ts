/** The spool has no room for a batch: nothing of it was kept. The message says what to do. */
export class SpoolFullError extends Error {
  override name = 'SpoolFullError'
}

/** The spool cannot be opened, written or read. The message says why and what to do. */
export class SpoolFailedError extends Error {
  override name = 'SpoolFailedError'
}

/** SQLite's result codes that are told apart here (https://www.sqlite.org/rescode.html). */
const CODES = { busy: 5, corrupt: 11, full: 13, notADatabase: 26 }

/** Whether SQLite failed with this code; the low byte of its number is the code, the rest says more. */
export function isSqliteError(error: unknown, kind: keyof typeof CODES): boolean {
  if (!(error instanceof Error) || !('errcode' in error)) return false
  return typeof error.errcode === 'number' && (error.errcode & 0xff) === CODES[kind]
}

/** An error's message, with SQLite's number where it has one. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'errcode' in error ? `${error.message} (SQLite ${String(error.errcode)})` : error.message
}
