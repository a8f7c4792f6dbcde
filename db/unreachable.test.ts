import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { describeTarget, explainUnreachable } from './unreachable.ts'

const withCode = (code: string) => Object.assign(new Error('what the library says'), { code })

test.each(['ECONNREFUSED', '57P03', '53300', 'ENOTFOUND', 'ETIMEDOUT', '08P01'])(
  '%s may pass by itself',
  (code) => {
    expect(explainUnreachable(withCode(code))).toMatchObject({ isPassing: true })
  },
)

const CLOSED = 'database "cold" is not currently accepting connections'
const CUT_SHORT = 'cannot connect to invalid database "cold"'
const notInState = (message: string, fields: { severity: string; routine?: string }) =>
  Object.assign(new DatabaseError(message, 0, 'error'), { code: '55000', ...fields })

test.each([
  ['PostgreSQL', notInState(CLOSED, { severity: 'FATAL', routine: 'CheckMyDatabase' })],
  ['one that speaks Italian', notInState('…', { severity: 'FATALE', routine: 'CheckMyDatabase' })],
  ['PgBouncer', notInState(CLOSED, { severity: 'FATAL' })],
])('a closed database may open by itself, says %s', (_who, error) => {
  expect(explainUnreachable(error)).toMatchObject({ isPassing: true })
})

test.each([
  ['a statement', notInState('…', { severity: 'ERROR', routine: 'ATExecDetachPartition' })],
  ['a statement, without who says it', notInState('…', { severity: 'ERROR' })],
  ['a DROP DATABASE cut short', notInState(CUT_SHORT, { severity: 'FATAL', routine: 'InitPostgres' })],
  ['the same, by PgBouncer', notInState(CUT_SHORT, { severity: 'FATAL' })],
  ['something that is not PostgreSQL', withCode('55000')],
])('55000 does not pass by itself of %s', (_of, error) => {
  expect(explainUnreachable(error)).toMatchObject({ isPassing: false })
})

test.each(['28P01', '28000', '3D000', '42501'])('%s does not pass by itself', (code) => {
  const { reason, isPassing } = explainUnreachable(withCode(code))
  expect(isPassing).toBe(false)
  expect(reason).toContain(code)
})

test('a host with several addresses fails as its first one', () => {
  const error = new AggregateError([withCode('ECONNREFUSED'), withCode('ENETUNREACH')])
  expect(explainUnreachable(error).reason).toContain('ECONNREFUSED')
})

test('a timeout of the client, which has no code, may pass', () => {
  expect(explainUnreachable(new Error('timeout expired')).isPassing).toBe(true)
})

test('names the database without its password', () => {
  const target = describeTarget('postgres://app:s%40cret@db.example/cold%20chain')
  expect(target).toBe('database "cold chain" at db.example:5432 as user "app"')
  expect(describeTarget('postgres://app@db.example:6432')).toBe(
    'database "app" at db.example:6432 as user "app"',
  )
})
