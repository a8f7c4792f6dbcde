import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { ArrivalTimeTakenError, ItemsTakenError } from '../../db/batches/replayed-items.ts'
import {
  type Batch,
  BatchIdTakenError,
  type BatchOutcome,
  findBatch,
  writeBatch,
} from '../../db/batches/write-batch.ts'
import { refusalOf, verdictOf } from '../../db/errors.ts'
import { rejectOnlyRow, type SealedBatch, sealBatch, toBatch } from '../batch.ts'
import type { RefusedItem, StorableItem } from './place-items.ts'

export interface StoreOptions {
  pool: Pool
  nextBatchId: () => bigint
  /** UUID of this process. */
  writer: string
  statementTimeoutMs: number
  /** Find out what would be stored, and write nothing. */
  dryRun: boolean
  /** Told of each transaction: the items it has settled, its rows, and the rows that it had twice. */
  onStored: (items: readonly StorableItem[], outcome: BatchOutcome, droppedRows: number) => void
  /** Told of items that others have. */
  onTaken: (items: readonly StorableItem[]) => void
}

const ATTEMPTS_MAX = 6
const RETRY_FIRST_MS = 100

/**
 * Stores items, each in one transaction with the end of its rejection. What PostgreSQL refuses is found by halving and
 * returned, its neighbours are stored. Throws `ArrivalTimeTakenError` when a time of arrival is not free any more, and
 * what PostgreSQL or the connection said when that does not pass; what was stored by then is settled.
 */
export async function storeItems(
  items: readonly StorableItem[],
  options: StoreOptions,
): Promise<RefusedItem[]> {
  if (items.length === 0) return []
  const sealed = sealBatch(items.map(({ message }) => message))
  const ids = options.dryRun ? [] : items.map(({ entry }) => entry.id)
  try {
    const outcome = await writeWithRetry(sealed, ids, options)
    options.onStored(items, outcome, sealed.duplicates.readings + sealed.duplicates.doors)
    return []
  } catch (error) {
    if (error instanceof ItemsTakenError) return storeFree(items, error.free, options)
    if (verdictOf(error) !== 'data') throw error
    const [item] = items
    if (items.length === 1 && item) return [refused(item, sealed, error)]
    const half = Math.ceil(items.length / 2)
    const first = await storeItems(items.slice(0, half), options)
    return [...first, ...(await storeItems(items.slice(half), options))]
  }
}

function storeFree(
  items: readonly StorableItem[],
  free: ReadonlySet<string>,
  options: StoreOptions,
): Promise<RefusedItem[]> {
  options.onTaken(items.filter(({ entry }) => !free.has(entry.id)))
  return storeItems(
    items.filter(({ entry }) => free.has(entry.id)),
    options,
  )
}

function refused({ entry }: StorableItem, sealed: SealedBatch, error: unknown): RefusedItem {
  const refusal = refusalOf(error)
  if (!refusal) throw error
  return { entry, reject: rejectOnlyRow(sealed, refusal).rejects[0]?.item ?? null }
}

/** Deadlocks with ingest and short absences of the database pass; after them the ledger knows whether it was committed. */
async function writeWithRetry(
  sealed: SealedBatch,
  replayed: readonly string[],
  { pool, nextBatchId, writer, statementTimeoutMs, dryRun }: StoreOptions,
): Promise<BatchOutcome> {
  let batch: Batch = { ...toBatch(sealed, { id: nextBatchId(), writer }), replayed }
  for (let attempt = 1; ; attempt++) {
    try {
      const known = attempt > 1 ? await findBatch(pool, batch) : undefined
      if (known) return known
      return await writeBatch(pool, batch, { statementTimeoutMs, expectDuplicates: true, dryRun })
    } catch (error) {
      if (error instanceof BatchIdTakenError) batch = { ...batch, id: nextBatchId() }
      if (attempt === ATTEMPTS_MAX || !mayPass(error)) throw error
      await sleep(RETRY_FIRST_MS * 2 ** (attempt - 1))
    }
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof ItemsTakenError || error instanceof ArrivalTimeTakenError) return false
  return verdictOf(error) !== 'data'
}
