import { expect, test } from 'vitest'
import { formatProgress, formatTally, openTally, type ReplayTally, tallyImbalance } from './tally.ts'

const TALLY: ReplayTally = {
  lookedAt: 12_345,
  readings: 12_000,
  doors: 300,
  duplicate: 20,
  stillRejected: { malformed: 5, unknown_device: 10 },
  notReplayable: { cut_short: 10 },
  leftToOthers: 7,
}

test('the table has every count, with its parts', () => {
  expect(formatTally(TALLY).replaceAll(/ {3,}/g, ' | ')).toBe(
    [
      'looked at | 12,345',
      'stored | 12,300',
      '  readings | 12,000',
      '  door events | 300',
      'already stored | 20',
      'still rejected | 15',
      '  malformed | 5',
      '  unknown_device | 10',
      'not replayable | 10',
      '  only the beginning was kept | 10',
      'left to another run | 7',
    ].join('\n'),
  )
})

test('without any item each count is there all the same', () => {
  expect(formatTally(openTally()).replaceAll(/ +/g, ' ').split('\n')).toEqual([
    'looked at 0',
    'stored 0',
    'already stored 0',
    'still rejected 0',
    'not replayable 0',
  ])
})

test('the progress is one line', () => {
  expect(formatProgress(TALLY)).toBe(
    'looked at 12,345: stored 12,300, already stored 20, still rejected 15, not replayable 10',
  )
})

test('the books balance when each item that was looked at is counted once more', () => {
  expect(tallyImbalance(TALLY)).toBe(0)
  expect(tallyImbalance({ ...TALLY, duplicate: 19 })).toBe(1)
})
