import { parseRfc3339 } from '../../time.ts'
import { isRecord } from '../value.ts'

const MONTHS = 'january february march april may june july august september october november december'.split(
  ' ',
)
/** Numbers from here on are milliseconds: as seconds they would be the year 5138. */
const MILLISECONDS_FROM = 1e11
/** Less than half the range of dates: what is beyond is no time, and a time of ours less the difference of two is a date. */
const SHOWN_MS_MAX = 4.3e15
/** A date as HTTP has it, with its day of the week or without: `Tue, 12 Apr 2022 10:00:00 GMT`. */
const HTTP_DATE = /^(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC)$/

/**
 * A device's own time in any of the forms that codecs give: seconds or milliseconds since 1970, RFC 3339, the date of
 * HTTP, or Laird's record of year, name of the month, day, hours, minutes and seconds (UTC). Null = it is none.
 */
export function readOwnTime(value: unknown): number | null {
  const atMs = readAnyForm(value)
  return atMs === null || Math.abs(atMs) > SHOWN_MS_MAX || Number.isNaN(atMs) ? null : atMs
}

function readAnyForm(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) {
    return Math.trunc(value >= MILLISECONDS_FROM ? value : value * 1_000)
  }
  if (typeof value === 'string') {
    return HTTP_DATE.test(value) ? Date.parse(value) : parseRfc3339(value)
  }
  if (!isRecord(value)) return null
  const { year, month, day, hours, minutes, seconds } = value
  const monthIndex = typeof month === 'string' ? MONTHS.indexOf(month.toLowerCase()) : -1
  const numbers = [year, day, hours, minutes, seconds].map(Number)
  if (monthIndex < 0 || numbers.some((number) => !Number.isInteger(number))) return null
  const [y = 0, d = 0, h = 0, m = 0, s = 0] = numbers
  return Date.UTC(y, monthIndex, d, h, m, s)
}
