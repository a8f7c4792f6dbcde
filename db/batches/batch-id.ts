/**
 * Batch ids are chosen here, not by the database, so that a commit whose answer was lost can be looked up, and so
 * that a batch has its id while the database is away. They fit a signed 64-bit integer, grow with time (BRIN finds
 * a batch's rows), and do not collide between processes: 41 bits of milliseconds since 2020, 12 bits drawn by each
 * process, 10 bits of counter. Should two processes choose the same, the ledger's primary key refuses the later
 * batch, which then takes another id.
 */
const EPOCH_MS = Date.UTC(2020, 0, 1)
const PROCESS_BITS = 12n
const COUNTER_BITS = 10n
const COUNTER_MAX = 2 ** Number(COUNTER_BITS) - 1

export interface BatchIdOptions {
  /** Epoch milliseconds. */
  now: () => number
  /** A number from 0 to 4095, drawn once a process. */
  process: number
}

/** Returns a generator of strictly increasing batch ids, also when the clock steps back. */
export function createBatchIds(options: BatchIdOptions): () => bigint {
  let lastMs = 0
  let counter = 0
  return () => {
    const nowMs = options.now() - EPOCH_MS
    if (nowMs > lastMs) {
      lastMs = nowMs
      counter = 0
    } else if (counter === COUNTER_MAX) {
      lastMs += 1
      counter = 0
    } else {
      counter += 1
    }
    return (
      (BigInt(lastMs) << (PROCESS_BITS + COUNTER_BITS)) |
      (BigInt(options.process) << COUNTER_BITS) |
      BigInt(counter)
    )
  }
}

/** The number of the process that gave out an id. */
export function processOfBatchId(id: bigint): number {
  return Number(BigInt.asUintN(Number(PROCESS_BITS), id >> COUNTER_BITS))
}

/** No batch id that was given out at this time (epoch milliseconds) or later is smaller. */
export function firstBatchIdAt(atMs: number): bigint {
  return BigInt(Math.max(0, Math.floor(atMs) - EPOCH_MS)) << (PROCESS_BITS + COUNTER_BITS)
}
