const TICK_MS = 20

/**
 * Watches the event loop of this process, and of whatever a test runs in it, from now on. Time in which this thread got
 * no processor does not count: on a busy machine that is no stall of ours. A synchronous wait, as for a disk, looks the
 * same and does not count either.
 */
export function watchEventLoop(): { longestStallMs(): number } {
  let longestMs = 0
  let last = read()
  const tick = () => {
    const now = read()
    longestMs = Math.max(longestMs, Math.min(now.atMs - last.atMs - TICK_MS, now.busyMs - last.busyMs))
    last = now
  }
  const timer = setInterval(tick, TICK_MS).unref()
  return {
    longestStallMs: () => {
      clearInterval(timer)
      tick()
      return longestMs
    },
  }
}

function read(): { atMs: number; busyMs: number } {
  const { user, system } = process.threadCpuUsage()
  return { atMs: performance.now(), busyMs: (user + system) / 1_000 }
}
