import PQueue from 'p-queue'
import type { HeldMessage } from './message.ts'

export interface GroupCommitOptions {
  /** How many batches may be under way at once. */
  lanes: number
  batchRowsMax: number
  batchBytesMax: number
  /** Makes the messages durable and releases them; must not throw. */
  commit: (messages: HeldMessage[]) => Promise<void>
}

/**
 * Gathers messages and commits them in batches, without a timer: while a lane is free, everything waiting becomes
 * its batch; while all lanes are busy, the next batch gathers. Idle latency is one commit; under load batches grow
 * by themselves up to the limits.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  readonly #lanes: PQueue
  #waiting: HeldMessage[] = []
  #scheduled = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
    this.#lanes = new PQueue({ concurrency: options.lanes })
  }

  add(message: HeldMessage): void {
    this.#waiting.push(message)
    if (this.#scheduled) return
    this.#scheduled = true
    // After the sockets that are readable now have been read, so that their messages share a batch.
    setImmediate(() => {
      this.#scheduled = false
      this.#fillLanes()
    })
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    while (this.#waiting.length > 0 || this.#lanes.pending > 0 || this.#scheduled) {
      if (this.#lanes.pending > 0) await this.#lanes.onIdle()
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** p-queue's own queue is unbounded, so it never gets more than there are lanes. */
  #fillLanes(): void {
    while (this.#waiting.length > 0 && this.#lanes.pending < this.#options.lanes) {
      const messages = takeBatch(this.#waiting, this.#options)
      void this.#lanes.add(() => this.#options.commit(messages)).then(() => this.#fillLanes())
    }
  }
}

/** Removes from the front as many messages as a batch may hold: at least one. */
function takeBatch(
  waiting: HeldMessage[],
  limits: { batchRowsMax: number; batchBytesMax: number },
): HeldMessage[] {
  let rows = 0
  let bytes = 0
  let count = 0
  for (const message of waiting) {
    // A message without items, such as a status, is work too.
    rows += Math.max(message.items, 1)
    bytes += message.arrival.payload.length
    if (count > 0 && (rows > limits.batchRowsMax || bytes > limits.batchBytesMax)) break
    count += 1
  }
  return waiting.splice(0, count)
}
