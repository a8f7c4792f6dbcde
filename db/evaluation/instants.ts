/** A parameter of type timestamptz; infinities are PostgreSQL's. */
export function toInstant(ms: number): string {
  if (ms === Infinity) return 'infinity'
  return ms === -Infinity ? '-infinity' : new Date(ms).toISOString()
}

/** Epoch milliseconds of a column as a float8 expression; infinities stay. `Math.round` what comes. */
export const epochMs = (column: string) => `date_part('epoch', ${column}) * 1000`
