import { expect, test } from 'vitest'
import { coalesce } from './coalesce.ts'

test('asks for all keys that came meanwhile in one load, and for each key once', async () => {
  const loads: string[][] = []
  const find = coalesce(
    async (keys: string[]) => {
      loads.push(keys)
      await new Promise((resolve) => setImmediate(resolve))
      return new Map(keys.filter((key) => key !== 'none').map((key) => [key, key.toUpperCase()]))
    },
    { keysMax: 100 },
  )
  const first = find('a')
  await Promise.resolve()
  const rest = ['b', 'c', 'b', 'none'].map((key) => find(key))
  expect(await first).toBe('A')
  expect(await Promise.all(rest)).toEqual(['B', 'C', 'B', undefined])
  expect(loads).toEqual([['a'], ['b', 'c', 'none']])
})

test('a failed load fails those who waited for it, and the next one is tried', async () => {
  let fail = true
  const find = coalesce(
    async (keys: string[]) => {
      if (fail) throw new Error('away')
      return new Map(keys.map((key) => [key, key]))
    },
    { keysMax: 1 },
  )
  await expect(find('a')).rejects.toThrow('away')
  fail = false
  expect(await Promise.all([find('a'), find('b')])).toEqual(['a', 'b'])
})
