import { expect, test } from 'vitest'
import { parseSettings } from '../settings.ts'
import { databaseSettings } from './config.ts'

const parse = (env: NodeJS.ProcessEnv) => parseSettings(databaseSettings, env)

test('nothing needs to be set', () => {
  expect(parse({ DATABASE_URL: '' })).toEqual({
    DATABASE_URL: undefined,
    DATABASE_DIRECT_URL: undefined,
    DATA_DIR: './.data',
    DATABASE_POOL_MAX: 10,
    DATABASE_STATEMENT_TIMEOUT_MS: 30_000,
    DATABASE_CONNECT_TIMEOUT_MS: 5_000,
    DATABASE_START_WAIT_MS: 10_000,
  })
})

test.each(['postgres://u:p@db:5432/x', 'postgresql://u:p%40@[::1]/x?sslmode=require', 'postgres://db/x'])(
  'accepts %s',
  (url) => {
    expect(parse({ DATABASE_URL: url }).DATABASE_URL).toBe(url)
  },
)

test.each(['mysql://u:p@db/x', 'db:5432/x', 'postgres', 'http://db/x'])(
  'refuses %s and says what is expected',
  (url) => {
    expect(() => parse({ DATABASE_URL: url })).toThrow(
      /DATABASE_URL=.*expected postgres:\/\/user:password@host:port/,
    )
  },
)

test('a bad limit is named with its unit', () => {
  expect(() => parse({ DATABASE_START_WAIT_MS: '10s' })).toThrow(
    /DATABASE_START_WAIT_MS="10s": expected a whole number of milliseconds from 0 to 600000/,
  )
})
