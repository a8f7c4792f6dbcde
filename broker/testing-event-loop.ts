import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 20

/** Watches the event loop of this process, and of whatever a test runs in it, from now on. */
export function watchEventLoop(): { longestStallMs(): number } {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  return {
    longestStallMs: () => {
      delay.disable()
      return delay.count === 0 ? 0 : delay.max / 1e6
    },
  }
}
