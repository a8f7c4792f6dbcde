/** Where messages wait for their commit: what was measured just now, and what is old. */
export type Queue = 'live' | 'backlog'

export interface LaneState {
  /** How many batches may be under way at once. */
  lanes: number
  /** Messages of each queue. */
  waiting: Readonly<Record<Queue, number>>
  /** Batches of each queue. */
  underWay: Readonly<Record<Queue, number>>
  /** Batches of live messages begun since the last one of the backlog, while that waited. */
  liveInARow: number
}

/** After so many live batches the backlog has its turn. */
const LIVE_IN_A_ROW_MAX = 4

/**
 * Which queue the next batch is taken from; undefined: none begins now.
 *
 * Live messages go first, and of two or more lanes one is never the backlog's: so a live message does not wait for a
 * batch of it. Where live messages take all lanes, one batch in five is the backlog's.
 */
export function nextQueue({ lanes, waiting, underWay, liveInARow }: LaneState): Queue | undefined {
  if (underWay.live + underWay.backlog >= lanes) return undefined
  const mayDrain = waiting.backlog > 0 && underWay.backlog < Math.max(lanes - 1, 1)
  const isDue = underWay.backlog === 0 && liveInARow >= LIVE_IN_A_ROW_MAX
  if (mayDrain && (isDue || waiting.live === 0)) return 'backlog'
  return waiting.live > 0 ? 'live' : undefined
}
