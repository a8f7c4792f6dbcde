import { expect, test } from 'vitest'
import { complaintsOf } from './complaints.ts'

test('finds warnings, errors and the trace of a crash, each once', () => {
  const log = [
    '{"level":30,"msg":"all is well"}',
    '{"level":40,"msg":"batch not committed yet","err":{"message":"no partition"},"attempt":1}',
    '{"level":40,"msg":"batch not committed yet","err":{"message":"no partition"},"attempt":2}',
    '{"level":50,"msg":"broker error"}',
    'ReferenceError: x is not defined',
    '',
  ].join('\n')
  expect(complaintsOf(log)).toEqual([
    'batch not committed yet: no partition',
    'broker error',
    'ReferenceError: x is not defined',
  ])
})

test('of many it names the first few', () => {
  const log = Array.from({ length: 20 }, (_, index) => `line ${index}`).join('\n')
  expect(complaintsOf(log)).toHaveLength(5)
})
