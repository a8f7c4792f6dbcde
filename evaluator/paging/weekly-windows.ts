/** Windows of the week by the wall clock of a time zone: schedules of rules, and people's quiet hours. */

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const DAY_NAMES: readonly string[] = DAYS
const MINUTE_MS = 60_000
const WEEK_MINUTES = 7 * 24 * 60

/** From `from` to before `to`; to the next day where `to` is the earlier one. Days are those on which it begins. */
export interface WeeklyWindow {
  days: readonly (typeof DAYS)[number][]
  /** "00:00" to "23:59". */
  from: string
  /** "00:00" to "24:00". */
  to: string
}

export function isWithin(windows: readonly WeeklyWindow[], atMs: number, timezone: string): boolean {
  const { day, minute } = wallClock(atMs, timezone)
  return windows.some((window) => covers(window, day, minute))
}

/** The first full minute outside of the windows, from `atMs` on; null where they leave none. */
export function endOfWindows(
  windows: readonly WeeklyWindow[],
  atMs: number,
  timezone: string,
): number | null {
  let minuteMs = Math.ceil(atMs / MINUTE_MS) * MINUTE_MS
  for (let minutes = 0; minutes <= WEEK_MINUTES; minutes++) {
    if (!isWithin(windows, minuteMs, timezone)) return minuteMs
    minuteMs += MINUTE_MS
  }
  return null
}

function covers({ days, from, to }: WeeklyWindow, day: number, minute: number): boolean {
  const begins = (which: number) => days.some((name) => name === DAYS[which])
  const [first, end] = [minuteOf(from), minuteOf(to)]
  if (first < end) return begins(day) && minute >= first && minute < end
  return (begins(day) && minute >= first) || (begins((day + 6) % 7) && minute < end)
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))
}

/** 0 = Monday; minutes since midnight, as a clock on the wall shows them. */
function wallClock(atMs: number, timezone: string): { day: number; minute: number } {
  const parts = new Map(
    formatOf(timezone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  )
  return {
    day: DAY_NAMES.indexOf(parts.get('weekday')?.toLowerCase() ?? ''),
    minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
  }
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** A zone that this runtime does not know counts as UTC: a wrong hour is better than no page. */
function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone)
  if (known) return known
  const format = isTimeZone(timezone) ? weekFormat(timezone) : weekFormat('UTC')
  formats.set(timezone, format)
  return format
}

function isTimeZone(timezone: string): boolean {
  try {
    weekFormat(timezone)
    return true
  } catch {
    return false
  }
}

function weekFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
}
