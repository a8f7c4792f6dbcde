import type { DoorRow } from '../copy/doors.ts'
import type { ReadingRow } from '../copy/readings.ts'

/** The lowest and the highest time of readings and door events, epoch milliseconds; undefined where there are none. */
export function recordedRange(
  readings: readonly ReadingRow[],
  doors: readonly DoorRow[],
): { fromMs: number; toMs: number } | undefined {
  let fromMs = Number.POSITIVE_INFINITY
  let toMs = Number.NEGATIVE_INFINITY
  for (const { recordedAtMs } of readings) {
    if (recordedAtMs < fromMs) fromMs = recordedAtMs
    if (recordedAtMs > toMs) toMs = recordedAtMs
  }
  for (const { occurredAtMs } of doors) {
    if (occurredAtMs < fromMs) fromMs = occurredAtMs
    if (occurredAtMs > toMs) toMs = occurredAtMs
  }
  return fromMs <= toMs ? { fromMs, toMs } : undefined
}
