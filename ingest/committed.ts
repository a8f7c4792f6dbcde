import type { Logger } from 'pino'
import type { BatchOutcome } from '../db/batches/write-batch.ts'
import type { DoorRow } from '../db/copy/doors.ts'
import type { ReadingRow } from '../db/copy/readings.ts'
import type { BacklogUnderWay } from './backlog-under-way.ts'
import type { BatchIds } from './batch-ids.ts'
import type { HeldMessage } from './message.ts'

/** A committed batch, all of whose rows are new and stored as they stand here, in order of arrival. */
export interface CommittedBatch {
  /** Its key in the ledger. */
  id: bigint
  readings: readonly (ReadingRow & Origin)[]
  doors: readonly (DoorRow & Origin)[]
  /** Whether messages of its clients that arrived before it are still to be committed; absent: none are. */
  isAhead?: () => boolean
}

interface Origin {
  /** Rows of one message have the same one; absent: the whole batch came as one. */
  message?: { arrival: { arrivedAtMs: number } }
}

/**
 * Told of what is committed and acknowledged. Undefined: something is, but it must be read from the database, by the ledger.
 * Batches are committed beside each other; of those with ids up to `landedId` none is under way any more. It is called on the
 * hot path: it must only take note.
 */
export type CommitListener = (batch: CommittedBatch | undefined, landedId: bigint) => void

interface Telling {
  onCommitted: CommitListener | undefined
  log: Logger
  ids: Pick<BatchIds, 'landedId'>
  backlog: Pick<BacklogUnderWay, 'behind'>
}

/** Tells the listener. Whatever goes wrong in that, the batch is committed. */
export function tellCommitted(
  { onCommitted, log, ids, backlog }: Telling,
  messages: readonly HeldMessage[],
  {
    names,
    rows,
    outcome,
  }: {
    names: readonly { id: bigint }[]
    rows: Pick<CommittedBatch, 'readings' | 'doors'>
    outcome: BatchOutcome
  },
): void {
  if (onCommitted === undefined) return
  const [name] = names
  // Halved, or renamed: not all of it may be stored. Duplicates: other rows may be stored in their place.
  const isAsStored = names.length === 1 && outcome.readingsDuplicate + outcome.doorsDuplicate === 0
  try {
    const isAhead = backlog.behind(messages)
    const batch: CommittedBatch | undefined =
      isAsStored && name
        ? { id: name.id, readings: rows.readings, doors: rows.doors, ...(isAhead ? { isAhead } : {}) }
        : undefined
    onCommitted(batch, ids.landedId())
  } catch (error) {
    log.error({ err: error }, 'committed, but not handed over')
  }
}
