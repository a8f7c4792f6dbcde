import { explainAway } from '../db/away.ts'

/** The database does not answer, or takes nothing. The message says why, in words for whoever has to mend it. */
export class DatabaseAwayError extends Error {
  override name = 'DatabaseAwayError'

  constructor(cause: unknown) {
    super(cause === undefined ? 'it does not answer' : explainAway(cause), { cause })
  }
}
