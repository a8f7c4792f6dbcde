import type { CommittedBatch } from '../../ingest/committed.ts'
import type { HandedBatch, HandOver } from '../hand-over.ts'
import { BatchPacker } from '../packed-batch.ts'
import { PackedReadings } from '../packed-rows.ts'

const packer = new BatchPacker()

/** A committed batch as the evaluator gets it. */
export function handed(batch: CommittedBatch): HandedBatch {
  const packed = packer.pack(batch)
  return {
    ...packed,
    readings: new PackedReadings(packed.readings),
    committedAtMs: performance.now(),
    ...(batch.isAhead ? { isAhead: batch.isAhead } : {}),
  }
}

/** Hands a batch over that was just committed; undefined: one that must be read from the ledger. */
export function hand(
  { handOver }: { handOver: HandOver },
  batch: CommittedBatch | undefined,
  landedId: bigint,
): void {
  if (batch) handOver.offer(handed(batch), landedId)
  else handOver.landed(landedId)
}
