import PQueue from 'p-queue'
import type { HeldMessage } from './message.ts'
import { nextQueue, type Queue } from './queue-choice.ts'

export interface GroupCommitOptions {
  /** How many batches may be under way at once. */
  lanes: number
  batchRowsMax: number
  /** The same for a batch of old readings, while live ones come. */
  backlogRowsMax: number
  batchBytesMax: number
  /** A clock that only goes forward, milliseconds: that of the arrivals. */
  now: () => number
  /** Makes the messages durable and releases them; must not throw. */
  commit: (messages: HeldMessage[]) => Promise<void>
}

/** After so long without a live message nobody is delayed by large batches of old readings. */
const LIVE_QUIET_MS = 1_000

/**
 * Gathers messages and commits them in batches, without a timer: while a lane is free, everything waiting becomes
 * its batch; while all lanes are busy, the next batch gathers. Idle latency is one commit; under load batches grow
 * by themselves up to the limits.
 *
 * Old readings wait in a queue of their own, so that hubs that drain days of them do not delay the others: which queue
 * a free lane takes its batch from, says `nextQueue`. Within a queue messages go in the order of their arrival. Batches
 * of old readings are small while live messages come: they use the same processor and the same disk.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #lanes: PQueue
  readonly #waiting: Record<Queue, HeldMessage[]> = { live: [], backlog: [] }
  readonly #underWay: Record<Queue, number> = { live: 0, backlog: 0 }
  #liveInARow = 0
  #lastLiveAtMs = Number.NEGATIVE_INFINITY
  #scheduled = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#lanes = new PQueue({ concurrency: options.lanes })
  }

  add(message: HeldMessage): void {
    const { isBacklog, arrivedAtMs } = message.arrival
    this.#waiting[isBacklog ? 'backlog' : 'live'].push(message)
    if (!isBacklog) this.#lastLiveAtMs = arrivedAtMs
    if (this.#scheduled) return
    this.#scheduled = true
    // After the sockets that are readable now have been read, so that their messages share a batch.
    setImmediate(() => {
      this.#scheduled = false
      this.#fillLanes()
    })
  }

  /** Messages for which no batch has begun yet. */
  waiting(queue: Queue): number {
    return this.#waiting[queue].length
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    while (this.waiting('live') + this.waiting('backlog') > 0 || this.#lanes.pending > 0 || this.#scheduled) {
      if (this.#lanes.pending > 0) await this.#lanes.onIdle()
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #fillLanes(): void {
    for (;;) {
      const queue = nextQueue({
        lanes: this.#options.lanes,
        waiting: { live: this.waiting('live'), backlog: this.waiting('backlog') },
        underWay: this.#underWay,
        liveInARow: this.#liveInARow,
      })
      if (queue === undefined) return
      this.#begin(queue)
    }
  }

  /** p-queue's own queue is unbounded, so it never gets more than there are lanes. */
  #begin(queue: Queue): void {
    const { batchRowsMax, backlogRowsMax, batchBytesMax, commit, now } = this.#options
    const isSmall = queue === 'backlog' && now() - this.#lastLiveAtMs < LIVE_QUIET_MS
    const rowsMax = isSmall ? backlogRowsMax : batchRowsMax
    const messages = takeBatch(this.#waiting[queue], { rowsMax, bytesMax: batchBytesMax })
    this.#liveInARow = queue === 'live' && this.waiting('backlog') > 0 ? this.#liveInARow + 1 : 0
    this.#underWay[queue] += 1
    void this.#lanes
      .add(() => commit(messages))
      .then(() => {
        this.#underWay[queue] -= 1
        this.#fillLanes()
      })
  }
}

/** Removes from the front as many messages as a batch may hold: at least one. */
function takeBatch(waiting: HeldMessage[], limits: { rowsMax: number; bytesMax: number }): HeldMessage[] {
  let rows = 0
  let bytes = 0
  let count = 0
  for (const message of waiting) {
    // A message without items, such as a status, is work too.
    rows += Math.max(message.items, 1)
    bytes += message.arrival.payload.length
    if (count > 0 && (rows > limits.rowsMax || bytes > limits.bytesMax)) break
    count += 1
  }
  return waiting.splice(0, count)
}
