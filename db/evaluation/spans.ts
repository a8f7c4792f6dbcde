import type { ClientBase, QueryResultRow } from 'pg'
import { toInstant } from './instants.ts'
import type { LedgerBatch } from './ledger-page.ts'

/** Batches that are read with one query: their times lie close together. */
interface BatchSpan {
  /** Ascending. */
  ids: bigint[]
  /** Epoch milliseconds, both included. */
  fromMs: number
  toMs: number
}

/** A query over a longer time would visit partitions in between that have none of its rows. */
const GAP_MAX_MS = 60 * 60_000

/** A table's rows `r` as they are judged. */
interface RowQuery<Row, Input> {
  /** Ends with its conditions. */
  select: string
  /** The time that the ledger has the span of. */
  time: string
  toInput: (row: Row) => Input
}

/** The rows of these batches, in no certain order. */
export async function rowsOfBatches<Row extends QueryResultRow, Input>(
  client: ClientBase,
  { select, time, toInput }: RowQuery<Row, Input>,
  batches: readonly LedgerBatch[],
): Promise<Input[]> {
  const inputs: Input[] = []
  for (const { ids, fromMs, toMs } of spansOf(batches)) {
    // The sum keeps the list out of the index on batch_id, which would be searched once for each of its members.
    const { rows } = await client.query<Row>(
      `${select} AND r.batch_id BETWEEN $1 AND $2 AND r.batch_id + 0 = ANY ($3::bigint[]) AND ${time} BETWEEN $4 AND $5`,
      [ids[0], ids.at(-1), ids, toInstant(fromMs), toInstant(toMs)],
    )
    for (const row of rows) inputs.push(toInput(row))
  }
  return inputs
}

/**
 * The batches by the time of their rows, so that a backfill does not make a query over years of the live ones beside it.
 * Batches of early versions have no times: they are searched everywhere.
 */
function spansOf(batches: readonly LedgerBatch[]): BatchSpan[] {
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
