import type { Duplex } from 'node:stream'
import type { FrameViolation } from './counters.ts'
import type { FrameScanner } from './frame-scanner.ts'
import { RefusalError } from './refusal.ts'

export interface FrameGuardOptions {
  scanner: FrameScanner
  /** False while its next PUBLISH must wait; whoever says so emits 'readable' on the connection when it may go on. */
  mayRead: () => boolean
  /** Bytes have come. */
  onHeard: () => void
  onViolation: (violation: FrameViolation) => void
}

/**
 * Puts a frame scanner in front of whoever reads `connection`. Aedes reads by `read(null)` on 'readable'
 * (lib/client.js), so this overrides `read` of this one object: another stream in between would cost a copy of
 * every byte. After a violation the connection is destroyed; an announced size is never allocated.
 */
export function guardFrames(connection: Duplex, options: FrameGuardOptions): void {
  const { scanner } = options
  const read = connection.read.bind(connection)
  /** At the front of the stream: read before, and put back. */
  let putBackBytes = 0
  /**
   * All that has come: since Node 26 read() gives the first of several chunks only (nodejs/node#60441). But what was put
   * back is read alone: with what has come since, it would be copied again and again, and the socket read on and on,
   * however much waits. And never more than the high-water mark, which a larger read raises for good.
   */
  const readNext = (size?: number): Buffer | null => {
    const bytes = Math.min(putBackBytes || connection.readableLength, connection.readableHighWaterMark)
    return read(bytes || size)
  }
  connection.read = (size?: number): Buffer | null => {
    // read(0) moves no bytes: it is how streams start reading from their source.
    if (size === 0) return read(0)
    while (!scanner.awaitsLogIn && options.mayRead()) {
      const chunk = readNext(size)
      if (chunk === null) return null
      options.onHeard()
      const { passed, rest, violation } = scanner.scan(chunk)
      // Back into the stream, not into a buffer of ours: so it counts for backpressure and outlives an early FIN.
      putBackBytes = rest?.length ?? 0
      if (rest) connection.unshift(rest)
      if (violation) {
        options.onViolation(violation)
        connection.destroy(new RefusalError(`frame refused: ${violation}`))
      }
      if (passed.length > 0) {
        // Aedes reads once per event, and would wait for what is left until more data comes.
        if (!rest && connection.readableLength > 0) setImmediate(() => connection.emit('readable'))
        return passed
      }
      if (violation) return null
    }
    return null
  }
}
