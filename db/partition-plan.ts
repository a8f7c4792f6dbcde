/** A half-open range of instants, epoch milliseconds. */
export interface Range {
  fromMs: number
  toMs: number
}

/** A partition to create: `suffix` is `2015` for a year, `2026_11` for a month (UTC). */
export interface PlannedPartition extends Range {
  suffix: string
}

/** Measurements before this year are rejected at ingest. */
const FIRST_YEAR = 2015

/** How far ahead partitions are made; ingest accepts measurements up to one day ahead. */
const AHEAD_DAYS = 62

const DAY_MS = 86_400_000

/**
 * Which partitions are missing to cover 2015 to `nowMs` + 62 days: a past year without any partition becomes one
 * yearly partition, everything else is monthly. Throws when an existing partition covers a month only in part: what
 * to do about it is for a person to decide.
 */
export function planPartitions(existing: readonly Range[], nowMs: number): PlannedPartition[] {
  const currentYear = new Date(nowMs).getUTCFullYear()
  const endMs = nowMs + AHEAD_DAYS * DAY_MS
  const planned: PlannedPartition[] = []
  for (let year = FIRST_YEAR; year < currentYear; year++) {
    const whole = yearOf(year)
    if (isUntouched(whole, existing)) planned.push(whole)
    else planned.push(...missingMonths(year, existing))
  }
  for (let year = currentYear; Date.UTC(year) < endMs; year++) {
    planned.push(...missingMonths(year, existing).filter((month) => month.fromMs < endMs))
  }
  return planned
}

function missingMonths(year: number, existing: readonly Range[]): PlannedPartition[] {
  return Array.from({ length: 12 }, (_, index) => monthOf(year, index)).filter((month) => {
    if (isUntouched(month, existing)) return true
    if (coveredMs(month, existing) < month.toMs - month.fromMs) {
      throw new Error(
        `The existing partitions cover ${month.suffix} only in part. Attach partitions for the rest of that month by hand.`,
      )
    }
    return false
  })
}

function yearOf(year: number): PlannedPartition {
  return { suffix: String(year), fromMs: Date.UTC(year), toMs: Date.UTC(year + 1) }
}

function monthOf(year: number, index: number): PlannedPartition {
  const suffix = `${year}_${String(index + 1).padStart(2, '0')}`
  return { suffix, fromMs: Date.UTC(year, index), toMs: Date.UTC(year, index + 1) }
}

function isUntouched(range: Range, existing: readonly Range[]): boolean {
  return coveredMs(range, existing) === 0
}

/** Partitions of one table never overlap, so what they cover adds up. */
function coveredMs(range: Range, existing: readonly Range[]): number {
  return existing.reduce(
    (sum, other) =>
      sum + Math.max(0, Math.min(range.toMs, other.toMs) - Math.max(range.fromMs, other.fromMs)),
    0,
  )
}
