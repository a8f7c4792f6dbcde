import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { closeAll, startBroker } from './testing.ts'
import { watchEventLoop } from './testing-event-loop.ts'

const BLOCKED_MS = 200
/** Takes about a millisecond to parse: to ask for the time is dear. */
const PAYLOAD = JSON.stringify(Array.from({ length: 10_000 }, (_, index) => index))

afterEach(closeAll)

/** Of this thread, in the system too. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** Keeps this thread busy for so many milliseconds of its processor, as with a payload that takes long to parse. */
function block(ms: number): void {
  const endMs = cpuMs() + ms
  while (cpuMs() < endMs) JSON.parse(PAYLOAD)
}

test('a loop that is blocked is found, one that waits is not', async () => {
  const waiting = watchEventLoop()
  await sleep(2 * BLOCKED_MS)
  expect(waiting.longestStallMs()).toBeLessThan(BLOCKED_MS)
  const blocked = watchEventLoop()
  await sleep(1)
  block(BLOCKED_MS)
  expect(blocked.longestStallMs()).toBeGreaterThan(BLOCKED_MS / 2)
})

test('a stall is found when the loop has gone on for long since', async () => {
  const loop = watchEventLoop()
  await sleep(1)
  block(BLOCKED_MS)
  await sleep(2 * BLOCKED_MS)
  expect(loop.longestStallMs()).toBeGreaterThan(BLOCKED_MS / 2)
})

test('a thread that gets no processor has not stalled', async () => {
  const loop = watchEventLoop()
  await sleep(1)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * BLOCKED_MS)
  expect(loop.longestStallMs()).toBeLessThan(BLOCKED_MS)
})

test('a loop that is busy all the time and turns has not stalled', async () => {
  const loop = watchEventLoop()
  const endMs = cpuMs() + 3 * BLOCKED_MS
  while (cpuMs() < endMs) {
    block(5)
    await nextTurn()
  }
  expect(loop.longestStallMs()).toBeLessThan(BLOCKED_MS)
})

test('the end of a test fails when its broker has stood still', async () => {
  await startBroker()
  await sleep(1)
  block(1_200)
  await expect(closeAll()).rejects.toThrow(/the event loop stood still for \d+ ms/)
})
