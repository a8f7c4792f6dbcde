import { setTimeout as sleep } from 'node:timers/promises'

/** Ctrl-C reaches a command twice: from the terminal and, forwarded, from npm. */
const REPEATED_SIGNAL_MS = 1_000

export interface EndSignals {
  /** Resolves when the first signal, if there was one, cannot come a second time any more. */
  settled(): Promise<void>
  /** The process is then ended by a signal as any other. */
  forget(): void
}

/** Tells a SIGINT or SIGTERM once, and again for one that somebody sends because the first takes too long. */
export function onEndSignal(told: {
  first: (signal: NodeJS.Signals) => void
  again: (signal: NodeJS.Signals) => void
}): EndSignals {
  let firstMs: number | undefined
  const sinceFirstMs = () => (firstMs === undefined ? Number.POSITIVE_INFINITY : performance.now() - firstMs)
  const signalled = (signal: NodeJS.Signals) => {
    if (firstMs === undefined) {
      firstMs = performance.now()
      told.first(signal)
    } else if (sinceFirstMs() >= REPEATED_SIGNAL_MS) told.again(signal)
  }
  process.on('SIGINT', signalled).on('SIGTERM', signalled)
  return {
    settled: async () => {
      const leftMs = REPEATED_SIGNAL_MS - sinceFirstMs()
      if (leftMs > 0) await sleep(leftMs)
    },
    forget: () => void process.off('SIGINT', signalled).off('SIGTERM', signalled),
  }
}
