import type { CommittedBatch } from '../ingest/committed.ts'
import { type HandedDoor, handedDoors, MessageNumbers, type PackedRows, packedRows } from './packed-rows.ts'

/** A committed batch, as far as it is judged; another thread can take it over. */
export interface PackedBatch {
  /** Its key in the ledger. */
  id: bigint
  readings: PackedRows
  doors: readonly HandedDoor[]
}

/** Messages are numbered up to here, and then from the beginning. */
const MESSAGES_MAX = 2 ** 30

/** Packs committed batches, and tells the messages of all of them apart. */
export class BatchPacker {
  #messages = 0

  pack({ id, readings, doors }: CommittedBatch): PackedBatch {
    const messages = new MessageNumbers(this.#messages)
    const packed = { id, readings: packedRows(readings, messages), doors: handedDoors(doors, messages) }
    this.#messages = messages.next % MESSAGES_MAX
    return packed
  }
}
