import { expect, test } from 'vitest'
import { LOCKS } from './advisory-locks.ts'

test('no two locks are the same', () => {
  const numbers = Object.values(LOCKS).map(({ space, key }) => `${space} ${key}`)
  expect(new Set(numbers).size).toBe(numbers.length)
})
