import { expect, test } from 'vitest'
import { Rest, restMs } from './rest.ts'

test('rests only while the process has no time left, and not for long', () => {
  expect(restMs(100, 0.94)).toBe(0)
  expect(restMs(100, 0.95)).toBe(300)
  expect(restMs(10_000, 1)).toBe(1_000)
})

test('sees whether the event loop was busy since it was last asked', async () => {
  const rest = new Rest()
  const begin = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(rest.after(performance.now() - begin)).toBe(0)
  const busyUntil = performance.now() + 30
  while (performance.now() < busyUntil);
  expect(rest.after(30)).toBe(90)
})
