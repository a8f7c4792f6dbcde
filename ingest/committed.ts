import type { Logger } from 'pino'
import type { BatchOutcome } from '../db/batches/write-batch.ts'
import type { DoorRow } from '../db/copy/doors.ts'
import type { ReadingRow } from '../db/copy/readings.ts'

/** A committed batch, all of whose rows are new and stored as they stand here. */
export interface CommittedBatch {
  /** Its key in the ledger. */
  id: bigint
  readings: readonly ReadingRow[]
  doors: readonly DoorRow[]
}

/**
 * Told of what is committed and acknowledged. Undefined: something is, but it must be read from the database, by the ledger. It
 * is called on the hot path: it must only take note.
 */
export type CommitListener = (batch: CommittedBatch | undefined) => void

/** Tells the listener. Whatever goes wrong in that, the batch is committed. */
export function tellCommitted(
  { onCommitted, log }: { onCommitted: CommitListener | undefined; log: Logger },
  names: readonly { id: bigint }[],
  rows: Omit<CommittedBatch, 'id'>,
  outcome: BatchOutcome,
): void {
  if (onCommitted === undefined) return
  const [name] = names
  // Halved, or renamed: not all of it may be stored. Duplicates: other rows may be stored in their place.
  const isAsStored = names.length === 1 && outcome.readingsDuplicate + outcome.doorsDuplicate === 0
  try {
    onCommitted(isAsStored && name ? { id: name.id, readings: rows.readings, doors: rows.doors } : undefined)
  } catch (error) {
    log.error({ err: error }, 'committed, but not handed over')
  }
}
