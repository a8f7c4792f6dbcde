import { expect, test } from 'vitest'
import { openProgress, timeLeftText } from './progress.ts'

function recorded(isTerminal: boolean) {
  const clock = { ms: 0 }
  const written: string[] = []
  const progress = openProgress({ write: (text) => written.push(text), isTerminal, now: () => clock.ms })
  return { progress, written, clock }
}

test('on a terminal the load is one line, overwritten, and gone when the next stage begins', () => {
  const { progress, written } = recorded(true)
  progress.line('  FrostGuard')
  progress.load({ readingsPerSecond: 163_999.6, secondsLeft: 5.2 })
  progress.load({ readingsPerSecond: 0, secondsLeft: -1 })
  progress.line('  raw COPY')
  expect(written).toEqual([
    '  FrostGuard\n',
    '\r\x1b[2K    FrostGuard: 164,000 readings/s, 6 s left',
    '\r\x1b[2K    FrostGuard: 0 readings/s, ending',
    '\r\x1b[2K  raw COPY\n',
  ])
})

test('elsewhere it is a line every ten seconds', () => {
  const { progress, written, clock } = recorded(false)
  progress.line('  FrostGuard')
  for (clock.ms = 1_000; clock.ms <= 21_000; clock.ms += 1_000) {
    progress.load({ readingsPerSecond: clock.ms, secondsLeft: 60 })
  }
  expect(written.slice(1)).toEqual([
    '    FrostGuard: 10,000 readings/s, 60 s left\n',
    '    FrostGuard: 20,000 readings/s, 60 s left\n',
  ])
})

test('the time left is that of what was done so far', () => {
  expect(timeLeftText({ elapsedMs: 100, done: 0, of: 6 })).toBe('')
  expect(timeLeftText({ elapsedMs: 20_000, done: 2, of: 6 })).toBe('about 40 s left')
  expect(timeLeftText({ elapsedMs: 90_000, done: 2, of: 6 })).toBe('about 3 min left')
})
