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
  connection.read = (size?: number): Buffer | null => {
    // read(0) moves no bytes: it is how streams start reading from their source.
    if (size === 0) return read(0)
    while (!scanner.awaitsLogIn && options.mayRead()) {
      // All that has come: since Node 26 read() gives the first of several chunks only (nodejs/node#60441), and
      // Aedes, which reads once per event, would wait for the others until more data comes.
      const chunk: Buffer | null = read(connection.readableLength || size)
      if (chunk === null) return null
      options.onHeard()
      const { passed, rest, violation } = scanner.scan(chunk)
      // Back into the stream, not into a buffer of ours: so it counts for backpressure and outlives an early FIN.
      if (rest) connection.unshift(rest)
      if (violation) {
        options.onViolation(violation)
        connection.destroy(new RefusalError(`frame refused: ${violation}`))
      }
      if (passed.length > 0) return passed
      if (violation) return null
    }
    return null
  }
}
