const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const DAY_MS = 24 * 60 * MINUTE_MS

/** Times before this are a clock that was never set: no sensor of this fleet is older. */
const PLAUSIBLE_FROM_MS = Date.UTC(2015, 0, 1)
/** How far a sensor's clock may run ahead of ours. */
const PLAUSIBLE_AHEAD_MS = DAY_MS

/**
 * The Gregorian calendar repeats every 400 years, which have 146,097 days. Years are moved up by one such cycle and
 * the result back down, because Date.UTC takes the years 0 to 99 for 1900 to 1999.
 */
const CALENDAR_CYCLE_YEARS = 400
const CALENDAR_CYCLE_MS = 146_097 * DAY_MS

/** Fixed places up to the seconds; behind them an optional fraction, and the offset. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/
const FRACTION_AT = 20

/**
 * A time with its offset, as RFC 3339 section 5.6 has it, in epoch milliseconds; digits after the third of the
 * fraction are cut. Null for anything else: no offset, a date that the calendar does not have, 24:00, more than nine
 * fraction digits. The leap second 23:59:60 UTC is the following second, as POSIX time has no place for it.
 */
export function parseRfc3339(text: string): number | null {
  if (!RFC_3339.test(text)) return null
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 7)
  const day = digits(text, 8, 10)
  const hour = digits(text, 11, 13)
  const minute = digits(text, 14, 16)
  const second = digits(text, 17, 19)
  const offsetMs = readOffset(text)
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null
  if (hour > 23 || minute > 59 || second > 60 || offsetMs === null) return null

  const movedYear = year + CALENDAR_CYCLE_YEARS
  const localMs = Date.UTC(movedYear, month - 1, day, hour, minute, second) - CALENDAR_CYCLE_MS
  const atMs = localMs + readMilliseconds(text) - offsetMs
  return second === 60 && !isFirstSecondOfDay(atMs) ? null : atMs
}

/** The number that the digits from `start` to before `end` make. */
function digits(text: string, start: number, end: number): number {
  let number = 0
  for (let place = start; place < end; place++) number = number * 10 + (text.charCodeAt(place) - ZERO_CODE)
  return number
}

const ZERO_CODE = '0'.charCodeAt(0)

function readMilliseconds(text: string): number {
  if (text[FRACTION_AT - 1] !== '.') return 0
  const fraction = /^\d{1,3}/.exec(text.slice(FRACTION_AT))?.[0] ?? ''
  return digits(fraction.padEnd(3, '0'), 0, 3)
}

/** The offset from UTC at the end of the text in milliseconds, or null if it is not a time of day. */
function readOffset(text: string): number | null {
  const signAt = text.length - 6
  const sign = text[signAt]
  if (sign !== '+' && sign !== '-') return 0
  const hours = digits(text, signAt + 1, signAt + 3)
  const minutes = digits(text, signAt + 4, signAt + 6)
  if (hours > 23 || minutes > 59) return null
  return (hours * 60 + minutes) * MINUTE_MS * (sign === '-' ? -1 : 1)
}

const MONTHS_OF_30_DAYS = [4, 6, 9, 11]

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return MONTHS_OF_30_DAYS.includes(month) ? 30 : 31
}

/** Leap seconds are inserted at the end of a UTC day only, so what follows one is the first second of a day. */
function isFirstSecondOfDay(atMs: number): boolean {
  const intoDayMs = ((atMs % DAY_MS) + DAY_MS) % DAY_MS
  return intoDayMs < SECOND_MS
}

/** A time as payloads carry it, epoch milliseconds or RFC 3339, in whole epoch milliseconds; null if it is neither. */
export function readTime(value: number | string): number | null {
  if (typeof value === 'string') return parseRfc3339(value)
  // Adding 0 makes a 0 of -0.
  return Math.trunc(value) + 0
}

/** Whether a sensor can have measured at this time: from 2015 until 24 h after its arrival, both ends included. */
export function isPlausibleTime(atMs: number, receivedAtMs: number): boolean {
  return atMs >= PLAUSIBLE_FROM_MS && atMs <= receivedAtMs + PLAUSIBLE_AHEAD_MS
}

/** Milliseconds in one of each unit that senders take for milliseconds. */
const MISTAKEN_UNITS = [
  { unit: 'seconds', unitMs: 1_000 },
  { unit: 'microseconds', unitMs: 1e-3 },
  { unit: 'nanoseconds', unitMs: 1e-6 },
] as const

/** The unit in which an implausible number of milliseconds would be a plausible time; null if there is none. */
export function mistakenTimeUnit(atMs: number, receivedAtMs: number): string | null {
  const found = MISTAKEN_UNITS.find(({ unitMs }) => isPlausibleTime(atMs * unitMs, receivedAtMs))
  return found?.unit ?? null
}
