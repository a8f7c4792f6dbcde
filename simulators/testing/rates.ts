import { parseFaults } from '../faults/rates.ts'
import type { FaultRates } from '../types.ts'

/** No faults but these. */
export function ratesWith(rates: Partial<FaultRates>): FaultRates {
  return { ...parseFaults('none'), ...rates }
}

/** A seed of its own for each run of a random test, which shows it in the test's name. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
