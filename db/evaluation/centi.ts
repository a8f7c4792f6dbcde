/**
 * Hundredths of a degree, as the database's `pipeline.centi` has them: a reading that has just arrived must be judged
 * as it will be read later. Stored temperatures are of single precision.
 */
export function toCenti(celsius: number): number {
  return Math.floor(Math.fround(celsius) * 100 + 0.5)
}
