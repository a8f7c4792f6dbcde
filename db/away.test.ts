import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { explainAway } from './away.ts'

function refusal(code: string, message: string): DatabaseError {
  return Object.assign(new DatabaseError(message, 0, 'error'), { code })
}

test.each([
  ['53100', 'could not extend file', /^its disk is full: free space there \(53100, could not extend file\)$/],
  [
    '42501',
    'permission denied for table x',
    /^it refuses our user a right: GRANT it \(42501, permission denied/,
  ],
  ['28P01', 'password authentication failed', /^it refuses the user or the password \(28P01\)/],
  ['53300', 'too many connections', /^all its connections are taken \(53300\)/],
  ['55P03', 'lock timeout', /^lock timeout \(55P03\)$/],
])('SQLSTATE %s: %s', (code, message, words) => {
  expect(explainAway(refusal(code, message))).toMatch(words)
})

test('without an answer of the server: what the socket said', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  expect(explainAway(refused)).toMatch(/^nothing listens there \(ECONNREFUSED\)/)
  expect(explainAway(new Error('Connection terminated'))).toBe('Connection terminated')
})
