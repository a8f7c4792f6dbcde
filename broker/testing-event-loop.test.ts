import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { watchEventLoop } from './testing-event-loop.ts'

const BLOCKED_MS = 200

test('a loop that is blocked is found, one that waits is not', async () => {
  const waiting = watchEventLoop()
  await sleep(2 * BLOCKED_MS)
  expect(waiting.longestStallMs()).toBeLessThan(BLOCKED_MS)
  const blocked = watchEventLoop()
  await sleep(1)
  const startMs = process.threadCpuUsage().user
  while (process.threadCpuUsage().user - startMs < BLOCKED_MS * 1_000) {
    // Busy, as with a payload that takes long to parse.
  }
  expect(blocked.longestStallMs()).toBeGreaterThan(BLOCKED_MS / 2)
})
