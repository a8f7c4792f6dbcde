const STEP_MS = 60_000
const START_MS = Date.UTC(2025, 0, 1)

let steps = 0

/** A time of measurement that no other reading of this test file has: epoch milliseconds from 2025 on. */
export function nextTime(): number {
  steps += 1
  return START_MS + steps * STEP_MS
}
