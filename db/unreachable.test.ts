import { expect, test } from 'vitest'
import { describeTarget, explainUnreachable } from './unreachable.ts'

const withCode = (code: string) => Object.assign(new Error('what the library says'), { code })

test.each(['ECONNREFUSED', '57P03', '53300', 'ENOTFOUND', 'ETIMEDOUT', '08P01', '55000'])(
  '%s may pass by itself',
  (code) => {
    expect(explainUnreachable(withCode(code))).toMatchObject({ isPassing: true })
  },
)

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
