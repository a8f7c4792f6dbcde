import type { Pool, PoolClient } from 'pg'
import { inReadOnly } from '../db/batches/transaction.ts'
import { isTimeout } from './refusals.ts'

/** Reads on a connection, each statement for as long as one may take. */
export type Read = <T>(read: (client: PoolClient) => Promise<T>) => Promise<T>

interface ReadsOptions {
  pool: Pool
  statementTimeoutMs: number
  /** Of a read that is asked again: after so long an answer comes too late to go on from what is held. */
  standStillMs: number
  /** What can wait for another turn is read for so long in one. */
  turnMs: number
  /** Epoch milliseconds. */
  now: () => number
  /** Aborted when nothing is to be asked again any more. */
  signal?: AbortSignal
  /** Aborted when nobody needs an answer any more, also one that is waited for: each read rejects with its reason. */
  lost?: AbortSignal
  /** Told when a read that is asked again and again has taken too long for the first time. */
  onWait?: (error: unknown) => void
}

/** A read was answered, but so late that nothing that is held may be judged by the clock. */
export class LateAnswerError extends Error {
  override name = 'LateAnswerError'
  readonly waitedMs: number

  constructor(waitedMs: number, cause: unknown) {
    const seconds = Math.round(waitedMs / 1_000)
    super(
      `nothing could be read for ${seconds} s: that is noted as downtime, and silence is not judged across it. ` +
        'Look for what locked the tables (pg_locks), or made the database slow',
      { cause },
    )
    this.waitedMs = waitedMs
  }
}

/** What can wait for another turn has to: the reads of this one have had their time. */
export class TurnSpentError extends Error {
  override name = 'TurnSpentError'
}

/**
 * How the evaluator reads. The server ends a statement that takes too long (57014); where it does not even do that, the pool gives
 * up, and all begins anew.
 */
export class Reads {
  readonly #options: ReadsOptions
  #waiting: { sinceMs: number; error: unknown } | undefined
  #timeouts = 0
  #spentMs = 0
  /** Of this turn, what has read first. */
  #first: Read | undefined

  constructor(options: ReadsOptions) {
    this.#options = options
  }

  /** What nothing can go on without, and since when (epoch milliseconds); undefined: there is an answer. */
  get waiting(): { sinceMs: number; error: unknown } | undefined {
    return this.#waiting
  }

  /** How many have taken too long in this turn: each has held up all that is live. */
  get timeouts(): number {
    return this.#timeouts
  }

  /** How long those that can wait have read, in this turn or part of one. */
  get spentMs(): number {
    return this.#spentMs
  }

  /** Whether those that can wait have had their time. */
  get isTurnSpent(): boolean {
    return this.#spentMs >= this.#options.turnMs
  }

  beginTurn(): void {
    this.#timeouts = 0
    this.beginPart()
  }

  /** A part of a turn that has a time of its own. */
  beginPart(): void {
    this.#spentMs = 0
    this.#first = undefined
  }

  /** For what concerns one unit, or can be done without: it fails where it takes too long. */
  readonly once: Read = async (read) => {
    const startedAtMs = performance.now()
    try {
      return await this.#ask(read)
    } finally {
      this.#spentMs += performance.now() - startedAtMs
    }
  }

  /**
   * For one of many things that can wait for another turn: as `once`, but it fails with a `TurnSpentError` where they have had their
   * time. The first one that reads has all the time it needs, so that each turn gets one of them done.
   */
  inTime(): Read {
    const inTime: Read = async (read) => {
      this.#first ??= inTime
      if (this.#first !== inTime && this.isTurnSpent) throw new TurnSpentError()
      return this.once(read)
    }
    return inTime
  }

  readonly #ask: Read = async (read) => {
    const { pool, statementTimeoutMs, lost } = this.#options
    try {
      return await inReadOnly(pool, statementTimeoutMs, read, lost)
    } catch (error) {
      lost?.throwIfAborted()
      if (isTimeout(error)) this.#timeouts += 1
      throw error
    }
  }

  /**
   * For what nothing can go on without: where it takes too long, it is asked again until it is answered. To give up would be
   * worse: all that is held in memory would have to be read again, too, from where it takes just as long. But nobody could
   * be heard meanwhile: after a long wait it rejects with a `LateAnswerError`, and who begins anew notes the time as downtime.
   */
  readonly untilAnswered: Read = async (read) => {
    const { now, signal, onWait, standStillMs } = this.#options
    const sinceMs = now()
    const startedAtMs = performance.now()
    for (;;) {
      try {
        const answer = await this.#ask(read)
        const waitedMs = performance.now() - startedAtMs
        if (this.#waiting && waitedMs >= standStillMs) {
          throw new LateAnswerError(waitedMs, this.#waiting.error)
        }
        this.#waiting = undefined
        return answer
      } catch (error) {
        if (!isTimeout(error) || signal?.aborted) {
          this.#waiting = undefined
          throw error
        }
        if (!this.#waiting) onWait?.(error)
        this.#waiting ??= { sinceMs, error }
      }
    }
  }
}
