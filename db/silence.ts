/** What the server says, over another connection, of the one whose answer we wait for. */
export type ServerSide = 'works' | 'waits for us' | 'waits for a standby' | 'is gone' | 'does not answer'

/** One look at a connection that waits for its answer. */
export interface Look {
  serverSide: ServerSide
  /** Received over the connection since it was opened. */
  bytesReceived: number
}

const REASONS: Partial<Record<ServerSide, string>> = {
  'waits for us': 'the server has answered and it did not arrive',
  'waits for a standby': 'its commit waits for a synchronous standby that does not answer',
  'is gone': 'the server knows it no longer',
  'does not answer': 'the server does not answer over another one either',
}

/**
 * Why a connection is given up, if it is: two looks in a row, between which nothing has arrived, have found nobody at
 * work. One may fall just between an answer and its arrival. As long as the server works, its answer may take any time.
 */
export function whyGivenUp(before: Look | undefined, now: Look): string | undefined {
  if (before === undefined || before.serverSide === 'works') return undefined
  return before.bytesReceived === now.bytesReceived ? REASONS[now.serverSide] : undefined
}
