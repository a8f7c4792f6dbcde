import { expect, test } from 'vitest'
import { Keepalive } from './keepalive.ts'
import { until } from './testing.ts'

const KEEPALIVE_SECONDS = 0.06
const LIMIT_MS = 90

function startKeepalive(keepaliveSeconds = KEEPALIVE_SECONDS) {
  const seen = { timedOutAtMs: 0, isWaiting: false }
  const startedAtMs = performance.now()
  const keepalive = new Keepalive({
    keepaliveSeconds,
    isWaiting: () => seen.isWaiting,
    now: () => performance.now(),
    onTimeout: () => {
      seen.timedOutAtMs = performance.now()
    },
  })
  return { keepalive, seen, startedAtMs }
}

/** Waits until a client that stays silent from now on would have been found. */
async function silenceIsFound(): Promise<void> {
  const { seen } = startKeepalive()
  await until(() => seen.timedOutAtMs > 0, 'the silent one is found')
}

test('silence is found after one and a half times the keepalive, not before', async () => {
  const { seen, startedAtMs } = startKeepalive()
  await until(() => seen.timedOutAtMs > 0, 'it is found')
  expect(seen.timedOutAtMs - startedAtMs).toBeGreaterThanOrEqual(LIMIT_MS)
})

test('whoever is heard lives, and the time counts from when it was heard last', async () => {
  const { keepalive, seen } = startKeepalive()
  let heardAtMs = 0
  for (let count = 0; count < 10; count++) {
    await new Promise((resolve) => setTimeout(resolve, 15))
    heardAtMs = performance.now()
    keepalive.heard()
  }
  expect(seen.timedOutAtMs).toBe(0)
  await until(() => seen.timedOutAtMs > 0, 'it is found in the end')
  expect(seen.timedOutAtMs - heardAtMs).toBeGreaterThanOrEqual(LIMIT_MS)
})

test('one that is not read is not cut off, and found when it is read again and still silent', async () => {
  const { seen, keepalive } = startKeepalive()
  seen.isWaiting = true
  for (let count = 0; count < 3; count++) await silenceIsFound()
  expect(seen.timedOutAtMs).toBe(0)
  seen.isWaiting = false
  const readAtMs = performance.now()
  keepalive.heard()
  await until(() => seen.timedOutAtMs > 0, 'it is found')
  expect(seen.timedOutAtMs - readAtMs).toBeGreaterThanOrEqual(LIMIT_MS)
})

test('0 means none, and a stopped one finds nobody', async () => {
  const none = startKeepalive(0)
  const stopped = startKeepalive()
  stopped.keepalive.stop()
  await silenceIsFound()
  await silenceIsFound()
  expect([none.seen.timedOutAtMs, stopped.seen.timedOutAtMs]).toEqual([0, 0])
})

test('after the process stood still, what has come meanwhile counts first', async () => {
  const { keepalive, seen } = startKeepalive()
  await new Promise((resolve) => {
    setImmediate(() => {
      // Like a socket: in the next turn of the event loop, after its timers.
      setImmediate(() => {
        keepalive.heard()
        setImmediate(resolve)
      })
      const endMs = performance.now() + 2 * LIMIT_MS
      while (performance.now() < endMs) {
        // Blocks the event loop, as a long garbage collection would.
      }
    })
  })
  expect(seen.timedOutAtMs).toBe(0)
  keepalive.stop()
})
