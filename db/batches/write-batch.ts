import { escapeLiteral, type Pool, type PoolClient } from 'pg'
import type { DoorRow } from '../copy/doors.ts'
import type { ReadingRow } from '../copy/readings.ts'
import { databaseError, verdictOf } from '../errors.ts'
import { lookUpWithLimit } from '../limited-query.ts'
import { recordedRange } from './recorded-range.ts'
import { dropEmptyPayloads, requireArrivalTimes, takeRejected } from './replayed-items.ts'
import { onConnection } from './transaction.ts'
import { writeDoors } from './write-doors.ts'
import { type HubStatusRow, writeHubStatuses } from './write-hub-statuses.ts'
import { copyReadings, stageReadings } from './write-readings.ts'
import { type RejectedMessage, writeRejected } from './write-rejected.ts'

/**
 * A hub's message that this batch makes durable: hub, its start id, its message counter, and the first counter seen of
 * that start (ledger rows of early versions are without).
 */
export type ReceiptMark = [hubId: number, boot: string, seq: number, first?: number]

/** All that one transaction makes durable. No two readings share device and time. */
export interface Batch {
  id: bigint
  /** UUID of the process that writes it. */
  writer: string
  readings: readonly ReadingRow[]
  doors: readonly DoorRow[]
  rejected: readonly RejectedMessage[]
  hubStatuses: readonly HubStatusRow[]
  receipts: readonly ReceiptMark[]
  /**
   * For what comes out of the spool: names of the spooled batches that it holds beside the one it is named after. Each
   * gets a ledger row, so that after a crash the ledger says of each whether it is stored.
   */
  drained?: readonly Pick<Batch, 'id' | 'writer'>[]
  /** Ids of rejected items that it stores after all: with its commit they are rejected no longer. */
  replayed?: readonly string[]
}

/** How many rows a batch added, and how many it found stored already. */
export interface BatchOutcome {
  readings: number
  readingsDuplicate: number
  doors: number
  doorsDuplicate: number
}

export interface WriteBatchOptions {
  /** A statement that runs longer is cancelled by the server, and the batch is tried again. */
  statementTimeoutMs: number
  /** Send the readings through the temporary table at once: some are known or suspected to be stored already. */
  expectDuplicates: boolean
  /** Find out how many rows it would add, and roll back. */
  dryRun?: boolean
  /** Aborted when the answer is not waited for any longer; it may have been committed all the same: see `findBatch`. */
  signal?: AbortSignal
}

const LEDGER = 'ingest_batches'

/** The id of a batch is taken by another process: give it another one. */
export class BatchIdTakenError extends Error {
  override name = 'BatchIdTakenError'
}

/** Some of the spooled batches that a batch holds are committed already: ask `findBatches` which. */
export class DrainedAlreadyError extends Error {
  override name = 'DrainedAlreadyError'
}

/**
 * Commits a batch with its ledger row in one transaction, each reading and event stored once. First tries one plain
 * COPY, with the readings that may be stored already beside it through a temporary table; another one that is stored
 * already sends the batch once more, all of it that way. Safe to call again with the same
 * batch after any failure: a batch that is in the ledger is not written again. Throws what PostgreSQL or the
 * connection said; `verdictOf` tells what to do about it.
 */
export async function writeBatch(
  pool: Pool,
  batch: Batch,
  options: WriteBatchOptions,
): Promise<BatchOutcome> {
  try {
    return await onConnection(pool, (client) => transact(client, batch, options), options.signal)
  } catch (error) {
    if (verdictOf(error) !== 'duplicate') throw error
    const isNameTaken = databaseError(error)?.table === LEDGER
    // Either readings that are stored already, or the batch itself: committed, its answer lost.
    const known = await findBatch(pool, batch)
    // What was committed under its name may have held fewer of the spooled batches.
    if (batch.drained && (known || isNameTaken)) {
      throw new DrainedAlreadyError(`batch ${batch.id}, or one that it holds, is in the ledger`, {
        cause: error,
      })
    }
    if (known) return known
    if (isNameTaken) {
      throw new BatchIdTakenError(`batch id ${batch.id} is taken by another writer`, { cause: error })
    }
    if (options.expectDuplicates) throw error
    return writeBatch(pool, batch, { ...options, expectDuplicates: true })
  }
}

/** The outcome of a batch that this writer has committed, from the ledger; undefined when it has not. */
export async function findBatch(
  pool: Pool,
  { id, writer }: Pick<Batch, 'id' | 'writer'>,
): Promise<BatchOutcome | undefined> {
  const rows = await lookUpWithLimit<BatchOutcome>(
    pool,
    `SELECT readings, readings_duplicate AS "readingsDuplicate", doors, doors_duplicate AS "doorsDuplicate"
     FROM pipeline.ingest_batches WHERE id = ${id} AND writer = ${escapeLiteral(writer)}`,
  )
  if (rows.length > 0) await confirmDurable(pool)
  return rows[0]
}

/** What of these the ledger has, by id; `writer` tells whether it is the same batch. */
export async function findBatches(
  pool: Pool,
  ids: readonly bigint[],
): Promise<Map<bigint, BatchOutcome & { writer: string }>> {
  const rows = await lookUpWithLimit<BatchOutcome & { id: string; writer: string }>(
    pool,
    `SELECT id, writer, readings, readings_duplicate AS "readingsDuplicate", doors, doors_duplicate AS "doorsDuplicate"
     FROM pipeline.ingest_batches WHERE id = ANY ('{${ids.join()}}'::bigint[])`,
  )
  if (rows.length > 0) await confirmDurable(pool)
  return new Map(rows.map(({ id, ...row }) => [BigInt(id), row]))
}

/**
 * What is shown as committed may not have reached a synchronous standby: after a crash PostgreSQL shows it without
 * waiting for that. A commit of our own waits, and the log is in order: with it all before it has arrived.
 */
async function confirmDurable(pool: Pool): Promise<void> {
  const commit = `BEGIN; SELECT pg_logical_emit_message(true, 'frostguard', ''); COMMIT`
  await onConnection(pool, (client) => client.query(commit))
}

async function transact(client: PoolClient, batch: Batch, options: WriteBatchOptions): Promise<BatchOutcome> {
  const limit = `SET LOCAL statement_timeout = ${Math.trunc(options.statementTimeoutMs)}`
  const begin = `BEGIN; ${limit}`
  if (isPlain(batch, options)) {
    const outcome = { readings: batch.readings.length, readingsDuplicate: 0, doors: 0, doorsDuplicate: 0 }
    await copyReadings(client, { begin, end: recordAndCommit(batch, outcome) }, batch.readings, batch.id)
    return outcome
  }
  const outcome = batch.replayed
    ? await replayRows(client, { begin, limit }, batch, options)
    : await writeRows(client, begin, batch, options)
  if (options.dryRun) await client.query('ROLLBACK')
  else await client.query(recordAndCommit(batch, outcome))
  return outcome
}

/** Nothing but readings that are not stored yet, as far as we know: what nearly every batch is. */
function isPlain(batch: Batch, { expectDuplicates, dryRun }: WriteBatchOptions): boolean {
  const { readings, doors, rejected, hubStatuses, replayed } = batch
  return (
    readings.length > 0 &&
    doors.length + rejected.length + hubStatuses.length === 0 &&
    !replayed &&
    !dryRun &&
    !expectDuplicates &&
    !readings.some((row) => row.mayBeStored)
  )
}

/** Takes the rejected items first: what somebody else has locked is not to be waited for with rows written. */
async function replayRows(
  client: PoolClient,
  { begin, limit }: { begin: string; limit: string },
  batch: Batch,
  options: WriteBatchOptions,
): Promise<BatchOutcome> {
  await client.query(begin)
  const payloadIds = await takeRejected(client, batch.replayed ?? [])
  const outcome = await writeRows(client, limit, batch, options)
  if (outcome.readingsDuplicate + outcome.doorsDuplicate > 0) await requireArrivalTimes(client, batch)
  await dropEmptyPayloads(client, payloadIds)
  return outcome
}

/** All of a batch but its ledger row; `begin` goes with the first statement. */
async function writeRows(
  client: PoolClient,
  begin: string,
  batch: Batch,
  options: WriteBatchOptions,
): Promise<BatchOutcome> {
  const outcome = { readings: 0, readingsDuplicate: 0, doors: 0, doorsDuplicate: 0 }
  const { fresh, suspects } = splitReadings(batch.readings, options)
  if (batch.readings.length === 0) await client.query(begin)
  if (fresh.length > 0) {
    await copyReadings(client, { begin }, fresh, batch.id)
    outcome.readings = fresh.length
  }
  if (suspects.length > 0) {
    const written = await stageReadings(client, fresh.length > 0 ? '' : begin, suspects, batch.id)
    outcome.readings += written.stored
    outcome.readingsDuplicate = written.duplicates
  }
  if (batch.doors.length > 0) {
    const written = await writeDoors(client, batch.doors, batch.id)
    outcome.doors = written.stored
    outcome.doorsDuplicate = written.duplicates
  }
  if (batch.rejected.length > 0) await writeRejected(client, batch.rejected, batch.id)
  if (batch.hubStatuses.length > 0) await writeHubStatuses(client, batch.hubStatuses)
  return outcome
}

/** Those for the plain COPY, and those for the temporary table. */
function splitReadings(
  readings: readonly ReadingRow[],
  { expectDuplicates }: WriteBatchOptions,
): { fresh: readonly ReadingRow[]; suspects: readonly ReadingRow[] } {
  if (expectDuplicates) return { fresh: [], suspects: readings }
  const suspects = readings.filter((row) => row.mayBeStored)
  if (suspects.length === 0) return { fresh: readings, suspects }
  return { fresh: readings.filter((row) => !row.mayBeStored), suspects }
}

/** The ledger row and COMMIT. */
function recordAndCommit(batch: Batch, outcome: BatchOutcome): string {
  const rejected = batch.rejected.reduce((sum, message) => sum + message.items.length, 0)
  const receipts = batch.receipts.length > 0 ? escapeLiteral(JSON.stringify(batch.receipts)) : 'NULL'
  const range = recordedRange(batch.readings, batch.doors)
  const [from, to] = range
    ? [range.fromMs, range.toMs].map((ms) => `to_timestamp(${ms / 1000})`)
    : ['NULL', 'NULL']
  const drained = (batch.drained ?? []).map(
    ({ id, writer }) => `, (${id}, ${escapeLiteral(writer)}, 0, 0, 0, 0, 0, NULL, NULL, NULL)`,
  )
  return `INSERT INTO pipeline.ingest_batches (id, writer, readings, readings_duplicate, doors, doors_duplicate, rejected, receipts, recorded_from, recorded_to)
     VALUES (${batch.id}, ${escapeLiteral(batch.writer)}, ${outcome.readings}, ${outcome.readingsDuplicate}, ${outcome.doors}, ${outcome.doorsDuplicate}, ${rejected}, ${receipts}, ${from}, ${to})${drained.join('')};
     COMMIT`
}
