/** A half-open range of instants, epoch milliseconds. */
export interface Range {
  fromMs: number
  toMs: number
}

/** How much time a partition covers. `quarter` is a quarter of a day, six hours. */
export type Width = 'year' | 'month' | 'day' | 'quarter' | 'hour'

/** A partition to create, in UTC: `2015`, `2026_11`, `2026_11_21`, `2026_11_21_q3` or `2026_11_21_17`. */
export interface PlannedPartition extends Range {
  suffix: string
}

/** Measurements before this year are rejected at ingest. */
const FIRST_YEAR = 2015

const HOUR_MS = 3_600_000
const QUARTER_MS = 6 * HOUR_MS
const DAY_MS = 24 * HOUR_MS

/** From the widest to the narrowest. */
const WIDTHS: readonly Width[] = ['year', 'month', 'day', 'quarter', 'hour']

/** How far ahead partitions are made; ingest accepts measurements up to one day ahead. */
const AHEAD_DAYS: Record<Width, number> = { year: 62, month: 62, day: 14, quarter: 7, hour: 4 }

/**
 * An open partition is keyed by time first, so reading one device from it looks at all of its keys in the range:
 * beyond so many rows that is felt (docs/decisions/0005).
 */
const ROWS_MAX = 2_000_000

/** The widest partition, up to a month, that a fleet with so many readings a day does not fill beyond 2 million rows. */
export function widthFor(readingsPerDay: number): Width {
  const days = { month: 31, day: 1, quarter: 0.25 }
  const fits = (['month', 'day', 'quarter'] as const).find(
    (width) => readingsPerDay * days[width] <= ROWS_MAX,
  )
  return fits ?? 'hour'
}

/**
 * Which partitions are missing to cover 2015 to some time after `nowMs`. What has passed before this month gets the
 * widest that fit between those that exist; from this month on none is wider than `width`. Throws when an existing
 * partition begins or ends within an hour: what to do about it is for a person to decide.
 */
export function planPartitions(options: {
  existing: readonly Range[]
  nowMs: number
  width: Width
}): PlannedPartition[] {
  const { existing, nowMs, width } = options
  const endMs = nowMs + AHEAD_DAYS[width] * DAY_MS
  const presentMs = startOf('month', nowMs)
  const planned: PlannedPartition[] = []
  for (let atMs = Date.UTC(FIRST_YEAR); atMs < endMs; ) {
    const taken = existing.find((range) => range.fromMs <= atMs && atMs < range.toMs)
    if (taken) {
      atMs = taken.toMs
      continue
    }
    const widest = atMs < presentMs ? 'year' : width
    const piece = widestFree(atMs, { existing, widest, presentMs })
    planned.push(piece)
    atMs = piece.toMs
  }
  return planned
}

function widestFree(
  atMs: number,
  limits: { existing: readonly Range[]; widest: Width; presentMs: number },
): PlannedPartition {
  const { existing, widest, presentMs } = limits
  for (const width of WIDTHS.slice(WIDTHS.indexOf(widest))) {
    const piece = pieceFrom(atMs, width)
    const isFree = !existing.some((other) => other.fromMs < piece.toMs && piece.fromMs < other.toMs)
    const isPast = width !== 'year' || piece.toMs <= presentMs
    if (piece.fromMs === atMs && isFree && isPast) return piece
  }
  throw new Error(
    `The existing partitions begin or end within the hour of ${new Date(atMs).toISOString()}. ` +
      'Attach a partition for the rest of that hour by hand.',
  )
}

/** A partition that is wider than the fleet needs: from `cutMs` on, narrower ones are to take its place. */
export interface Narrowing {
  range: Range
  cutMs: number
}

/** Those that hold the present or the future. Ones without bounds were attached by somebody who has a plan. */
export function planNarrowing(options: {
  existing: readonly Range[]
  nowMs: number
  width: Width
}): Narrowing[] {
  const { existing, nowMs, width } = options
  const nextMs = pieceFrom(nowMs, width).toMs
  return existing
    .filter((range) => Number.isFinite(range.fromMs) && Number.isFinite(range.toMs) && range.toMs > nextMs)
    .filter((range) => range.toMs - range.fromMs > spanMs(range.fromMs, width))
    .map((range) => ({ range, cutMs: Math.max(range.fromMs, nextMs) }))
}

function spanMs(atMs: number, width: Width): number {
  const piece = pieceFrom(atMs, width)
  return piece.toMs - piece.fromMs
}

/** The piece of this width that holds an instant. */
function pieceFrom(atMs: number, width: Width): PlannedPartition {
  const fromMs = startOf(width, atMs)
  const date = new Date(fromMs)
  const toMs = {
    year: Date.UTC(date.getUTCFullYear() + 1),
    month: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1),
    day: fromMs + DAY_MS,
    quarter: fromMs + QUARTER_MS,
    hour: fromMs + HOUR_MS,
  }[width]
  return { suffix: suffixOf(width, date), fromMs, toMs }
}

function startOf(width: Width, atMs: number): number {
  const date = new Date(atMs)
  if (width === 'year') return Date.UTC(date.getUTCFullYear())
  if (width === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  const span = { day: DAY_MS, quarter: QUARTER_MS, hour: HOUR_MS }[width]
  return Math.floor(atMs / span) * span
}

function suffixOf(width: Width, date: Date): string {
  const [year = '', month = '', day = '', hour = ''] = date.toISOString().split(/[-T:]/)
  return {
    year,
    month: `${year}_${month}`,
    day: `${year}_${month}_${day}`,
    quarter: `${year}_${month}_${day}_q${Math.floor(Number(hour) / 6) + 1}`,
    hour: `${year}_${month}_${day}_${hour}`,
  }[width]
}
