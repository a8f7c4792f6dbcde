import { expect, test } from 'vitest'
import { isPlausibleTime, mistakenTimeUnit, parseRfc3339, readTime } from './time.ts'

test.each([
  ['2026-11-20T10:15:02Z', '2026-11-20T10:15:02.000Z'],
  ['2026-11-20t10:15:02z', '2026-11-20T10:15:02.000Z'],
  ['2026-11-20T10:15:02.1Z', '2026-11-20T10:15:02.100Z'],
  ['2026-11-20T10:15:02.12Z', '2026-11-20T10:15:02.120Z'],
  ['2026-11-20T10:15:02.120Z', '2026-11-20T10:15:02.120Z'],
  ['2026-11-20T10:15:02.123999999Z', '2026-11-20T10:15:02.123Z'],
  ['2026-11-20T10:15:02+01:00', '2026-11-20T09:15:02.000Z'],
  ['2026-11-20T10:15:02.5-05:30', '2026-11-20T15:45:02.500Z'],
  ['2026-11-20T10:15:02-00:00', '2026-11-20T10:15:02.000Z'],
  ['2026-11-20T00:15:02+23:59', '2026-11-19T00:16:02.000Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['0099-12-31T23:59:59Z', '0099-12-31T23:59:59.000Z'],
  ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2016-12-31T23:59:60.5Z', '2017-01-01T00:00:00.500Z'],
  ['2017-01-01T08:59:60+09:00', '2017-01-01T00:00:00.000Z'],
])('%s is %s', (text, utc) => {
  const atMs = parseRfc3339(text)
  expect(atMs === null ? null : new Date(atMs).toISOString()).toBe(utc)
})

test.each([
  ['no offset', '2026-11-20T10:15:02'],
  ['no time', '2026-11-20'],
  ['no seconds', '2026-11-20T10:15Z'],
  ['a space for the T', '2026-11-20 10:15:02Z'],
  ['30 February', '2026-02-30T10:15:02Z'],
  ['29 February outside a leap year', '2026-02-29T10:15:02Z'],
  ['29 February 2100', '2100-02-29T10:15:02Z'],
  ['31 April', '2026-04-31T10:15:02Z'],
  ['month 0', '2026-00-10T10:15:02Z'],
  ['month 13', '2026-13-10T10:15:02Z'],
  ['day 0', '2026-11-00T10:15:02Z'],
  ['24:00', '2026-11-20T24:00:00Z'],
  ['minute 60', '2026-11-20T10:60:00Z'],
  ['second 61', '2026-12-31T23:59:61Z'],
  ['a leap second within the day', '2026-11-20T10:15:60Z'],
  ['a leap second of local time', '2026-12-31T23:59:60+01:00'],
  ['ten fraction digits', '2026-11-20T10:15:02.1234567890Z'],
  ['an empty fraction', '2026-11-20T10:15:02.Z'],
  ['a comma', '2026-11-20T10:15:02,5Z'],
  ['offset 24:00', '2026-11-20T10:15:02+24:00'],
  ['offset minute 60', '2026-11-20T10:15:02+01:60'],
  ['offset without colon', '2026-11-20T10:15:02+0100'],
  ['a zone name', '2026-11-20T10:15:02 CET'],
  ['a year of six digits', '+275760-09-13T00:00:00Z'],
  ['epoch milliseconds as text', '1795174500000'],
  ['text behind', '2026-11-20T10:15:02Z\n'],
  ['a date that each country reads another way', '8/12/18'],
  ['an empty string', ''],
])('%s is refused', (_, text) => {
  expect(parseRfc3339(text)).toBeNull()
})

test('every day of 400 years is read as the calendar has it', () => {
  const first = Date.UTC(1900, 0, 1)
  for (let day = 0; day < 146_097; day++) {
    const text = new Date(first + day * 86_400_000).toISOString()
    if (parseRfc3339(text) !== first + day * 86_400_000) expect.fail(`${text} was read wrongly`)
  }
})

test.each([
  [1_795_174_500_000, 1_795_174_500_000],
  [1_795_174_500_000.9, 1_795_174_500_000],
  [-0, 0],
  ['2026-11-20T10:15:00Z', Date.UTC(2026, 10, 20, 10, 15)],
  ['tomorrow', null],
])('readTime(%s) is %s', (value, atMs) => {
  expect(readTime(value)).toBe(atMs)
})

const NOW_MS = Date.UTC(2026, 10, 20, 10, 15)
const DAY_MS = 86_400_000

test.each([
  ['now', NOW_MS, true],
  ['the start of 2015', Date.UTC(2015, 0, 1), true],
  ['the last millisecond of 2014', Date.UTC(2015, 0, 1) - 1, false],
  ['24 h ahead', NOW_MS + DAY_MS, true],
  ['1 ms more than 24 h ahead', NOW_MS + DAY_MS + 1, false],
  ['0', 0, false],
  ['a negative time', -NOW_MS, false],
  ['a time that no Date holds', 1e300, false],
])('%s: plausible is %s', (_, atMs, plausible) => {
  expect(isPlausibleTime(atMs, NOW_MS)).toBe(plausible)
})

test.each([
  [NOW_MS / 1e3, 'seconds'],
  [NOW_MS * 1e3, 'microseconds'],
  [NOW_MS * 1e6, 'nanoseconds'],
  [0, null],
  [NOW_MS + 2 * DAY_MS, null],
  [1e300, null],
])('%d looks like %s', (value, unit) => {
  expect(mistakenTimeUnit(value, NOW_MS)).toBe(unit)
})
