import { describe, expect, test } from 'vitest'
import { endOfWindows, isWithin, type WeeklyWindow } from './weekly-windows.ts'

const BERLIN = 'Europe/Berlin'
const WORK: WeeklyWindow[] = [{ days: ['mon', 'tue'], from: '07:00', to: '21:00' }]
const NIGHT: WeeklyWindow[] = [{ days: ['fri'], from: '22:00', to: '06:00' }]
const ALL_DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

/** 2026-11-16 is a Monday; Berlin is one hour ahead of UTC. */
const berlin = (day: number, time: string) => Date.parse(`2026-11-${day}T${time}+01:00`)

test.each([
  ['Monday, its first minute', 16, '07:00:00', true],
  ['Monday, a moment before', 16, '06:59:59.999', false],
  ['Tuesday, its last moment', 17, '20:59:59.999', true],
  ['Tuesday, its end', 17, '21:00:00', false],
  ['Wednesday', 18, '12:00:00', false],
] as const)('a window of the day: %s', (_, day, time, within) => {
  expect(isWithin(WORK, berlin(day, time), BERLIN)).toBe(within)
})

test.each([
  ['Friday evening', 20, '22:00:00', true],
  ['the morning after', 21, '05:59:00', true],
  ['its end', 21, '06:00:00', false],
  ['Friday morning, which belongs to Thursday', 20, '05:00:00', false],
  ['Saturday evening', 21, '23:00:00', false],
] as const)('a window over midnight: %s', (_, day, time, within) => {
  expect(isWithin(NIGHT, berlin(day, time), BERLIN)).toBe(within)
})

test('goes by the clock of the zone, also when it changes to summer time', () => {
  const noon: WeeklyWindow[] = [{ days: ALL_DAYS, from: '12:00', to: '13:00' }]
  expect(isWithin(noon, Date.parse('2026-03-28T11:30Z'), BERLIN)).toBe(true)
  expect(isWithin(noon, Date.parse('2026-03-29T11:30Z'), BERLIN)).toBe(false)
  expect(isWithin(noon, Date.parse('2026-03-29T10:30Z'), BERLIN)).toBe(true)
  expect(isWithin(noon, Date.parse('2026-03-29T10:30Z'), 'Asia/Kathmandu')).toBe(false)
})

test('a zone that nobody knows counts as UTC', () => {
  const noon: WeeklyWindow[] = [{ days: ALL_DAYS, from: '12:00', to: '13:00' }]
  expect(isWithin(noon, Date.parse('2026-03-29T12:30Z'), 'Mars/Olympus')).toBe(true)
})

describe('the end of windows', () => {
  test('is now where none covers it', () => {
    expect(endOfWindows(NIGHT, berlin(18, '12:00:00'), BERLIN)).toBe(berlin(18, '12:00:00'))
  })

  test('is that of the last one that follows without a break', () => {
    const both = [...NIGHT, { days: ['sat'], from: '05:30', to: '24:00' } as const]
    expect(endOfWindows(both, berlin(20, '23:30:12'), BERLIN)).toBe(berlin(22, '00:00:00'))
  })

  test('does not come where they cover the week', () => {
    const always: WeeklyWindow[] = [{ days: ALL_DAYS, from: '00:00', to: '24:00' }]
    expect(endOfWindows(always, berlin(20, '23:30:12'), BERLIN)).toBeNull()
  })
})
