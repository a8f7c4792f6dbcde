import { expect, test } from 'vitest'
import { Backoff } from './backoff.ts'

test('each wait is twice as long, up to half a minute; also after connections that end at once', () => {
  const backoff = new Backoff()
  const waits = Array.from({ length: 8 }, (_, index) => {
    if (index % 2 === 1) backoff.opened(index)
    return backoff.nextMs(index, 1)
  })
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
})

test('after a connection that has lasted it begins anew; the last half of a wait is drawn', () => {
  const backoff = new Backoff()
  for (let failures = 0; failures < 5; failures += 1) backoff.nextMs(0, 1)
  backoff.opened(1_000)
  expect(backoff.nextMs(11_000, 0)).toBe(250)
  expect(backoff.nextMs(100_000, 1)).toBe(1_000)
})
