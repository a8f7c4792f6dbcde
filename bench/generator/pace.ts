/** How far a connection has come: its number from 0, and messages. */
interface Progress {
  readonly index: number
  readonly sent: number
  readonly inFlight: number
}

/** When messages are due, and how many a connection may send now. */
export interface Pace {
  /** How many messages this connection is to send at this moment; the caller sends them. */
  take(connection: Progress): number
  /** Where a message's latency begins when it is sent at `nowMs`; both by `performance.now()`. */
  dueAt(connection: number, message: number, nowMs: number): number
  /** Begins the schedule. `send` is called with each connection that may have become due. */
  start(send: (connection: number) => void): void
  /** Nothing more becomes due; `isAtOnce`: nor is sent what was due and had to wait. */
  stop(isAtOnce: boolean): void
  /** Resolves when `messagesMax` messages have been taken. */
  readonly exhausted: Promise<void>
  /** Messages due so far, sent or not; undefined where none is due at a time of its own. */
  readonly due: number | undefined
}

export interface PaceOptions {
  connections: number
  /** Messages of one connection that wait for their PUBACK. */
  inFlightMax: number
  /** Of all connections together. */
  messagesMax: number
}

/** Closed loop: a connection sends whenever fewer than `inFlightMax` of its messages wait for their PUBACK. */
export function closedLoop({ connections, inFlightMax, messagesMax }: PaceOptions): Pace {
  const exhausted = Promise.withResolvers<void>()
  let left = messagesMax
  return {
    exhausted: exhausted.promise,
    due: undefined,
    take: ({ inFlight }) => {
      const count = Math.min(inFlightMax - inFlight, left)
      left -= count
      if (left === 0) exhausted.resolve()
      return count
    },
    dueAt: (_connection, _message, nowMs) => nowMs,
    start: (send) => {
      for (let connection = 0; connection < connections; connection++) send(connection)
    },
    stop: () => {
      left = 0
    },
  }
}

const TICK_MS = 1

/**
 * Open loop: message m of connection c is due m intervals and c/connections of an interval after the start, whether
 * or not earlier ones are acknowledged. A connection with `inFlightMax` messages in flight sends later; latency
 * counts from when they were due, so a server that stalls cannot hide it (coordinated omission).
 */
export function openLoop(options: PaceOptions & { intervalMs: number; now?: () => number }): Pace {
  const { connections, intervalMs, inFlightMax, messagesMax, now = () => performance.now() } = options
  const spacingMs = intervalMs / connections
  const exhausted = Promise.withResolvers<void>()
  let startedAt = 0
  let due = 0
  let left = messagesMax
  let timer: NodeJS.Timeout | undefined
  const advance = (send: (connection: number) => void) => {
    const until = Math.min(Math.floor((now() - startedAt) / spacingMs) + 1, messagesMax)
    while (due < until) send(due++ % connections)
  }
  return {
    exhausted: exhausted.promise,
    get due() {
      return due
    },
    take: ({ index, inFlight, sent }) => {
      const dueHere = Math.ceil((due - index) / connections)
      const count = Math.max(Math.min(dueHere - sent, inFlightMax - inFlight, left), 0)
      left -= count
      if (left === 0) exhausted.resolve()
      return count
    },
    dueAt: (connection, message) => startedAt + message * intervalMs + connection * spacingMs,
    start: (send) => {
      startedAt = now()
      timer = setInterval(() => advance(send), TICK_MS)
      advance(send)
    },
    stop: (isAtOnce) => {
      clearInterval(timer)
      if (isAtOnce) left = 0
    },
  }
}
