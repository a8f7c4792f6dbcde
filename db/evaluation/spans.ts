import type { LedgerBatch } from './ledger-page.ts'

/** Batches that are read with one query: their times lie close together. */
export interface BatchSpan {
  /** Ascending. */
  ids: bigint[]
  /** Epoch milliseconds, both included. */
  fromMs: number
  toMs: number
}

/** A query over a longer time would visit partitions in between that have none of its rows. */
const GAP_MAX_MS = 60 * 60_000

/**
 * The batches by the time of their rows, so that a backfill does not make a query over years of the live ones beside it.
 * Batches of early versions have no times: they are searched everywhere.
 */
export function spansOf(batches: readonly LedgerBatch[]): BatchSpan[] {
  const spans: BatchSpan[] = []
  const undated: bigint[] = []
  const dated = batches.flatMap(({ id, recordedFromMs: fromMs, recordedToMs: toMs }) => {
    if (fromMs !== null && toMs !== null) return [{ id, fromMs, toMs }]
    undated.push(id)
    return []
  })
  for (const { id, fromMs, toMs } of dated.sort((a, b) => a.fromMs - b.fromMs)) {
    const last = spans.at(-1)
    if (last && fromMs <= last.toMs + GAP_MAX_MS) {
      last.ids.push(id)
      last.toMs = Math.max(last.toMs, toMs)
    } else spans.push({ ids: [id], fromMs, toMs })
  }
  if (undated.length > 0) spans.push({ ids: undated, fromMs: -Infinity, toMs: Infinity })
  for (const { ids } of spans) ids.sort((a, b) => (a < b ? -1 : 1))
  return spans
}
