import type { PendingReading } from './message.ts'
import type { RecentReadings } from './recent-readings.ts'

/**
 * Marks the readings that may be stored already: those of a message with the DUP flag, and those that came a moment
 * ago. Returns how many there are. They go through a temporary table, so that a few of them do not send their whole
 * batch that way. Wrong marks cost time only.
 */
export function markSuspects(readings: readonly PendingReading[], recent: RecentReadings): number {
  let count = 0
  for (const row of readings) {
    const isRecent = recent.add(row.deviceId, row.recordedAtMs)
    row.mayBeStored = isRecent || row.message.arrival.dup
    if (row.mayBeStored) count += 1
  }
  return count
}
